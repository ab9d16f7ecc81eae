"""A candidate: what a training or a change of the encoder gave, in one folder.

candidate.json     what it is (`Candidate`)
comparison.json    how it does against what serves (`training.registry.comparison`)
models/            source form, as git holds it
bundles/           runtime form: encoders/… and heads/…
report/            report.md, figures.json and charts
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nlp_service.inference.bundle import HeadBundle, Sha256, Task
from nlp_service.inference.release import ENCODERS, HEADS, SEARCH, encoder_folder
from nlp_service.inference.rollback import read_bundle_of
from training.registry.comparison import Comparison
from training.registry.errors import RegistryError

CANDIDATE_FILE = "candidate.json"
MODELS, BUNDLES, REPORT = "models", "bundles", "report"
PartName = Annotated[str, Field(pattern=rf"^({'|'.join((*get_args(Task), SEARCH))})$")]
Folder = Annotated[str, Field(pattern=rf"^({ENCODERS}|{HEADS})/[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""Of a bundle, relative to the bundles folder."""


class Candidate(BaseModel):
    """The file ``candidate.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str = Field(pattern=r"^[a-z0-9-]+$")
    """What is replaced: a task, `search`, or the name of an encoder with all its heads."""
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    parts: dict[PartName, Folder] = Field(min_length=1)
    """What would serve: the head of each task, or the encoder of `search`."""
    encoders: tuple[Folder, ...] = ()
    """Encoder bundles that it brings; the others that its heads read are there already."""
    parameters: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    data: dict[str, Sha256] = Field(default_factory=dict)
    """Fingerprint of each data split."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Every bundle that it names, encoders first."""
        return tuple(dict.fromkeys((*self.encoders, *self.parts.values())))

    @model_validator(mode="after")
    def _kinds_fit(self) -> "Candidate":
        encoders = {*self.encoders, self.parts.get(SEARCH, f"{ENCODERS}/")}
        heads = {folder for part, folder in self.parts.items() if part != SEARCH}
        if any(is_head(folder) for folder in encoders) or not all(is_head(folder) for folder in heads):
            raise ValueError(f"a task is served by {HEADS}/…, search by {ENCODERS}/…")
        return self


def is_head(folder: str) -> bool:
    """Whether a bundle of this folder is a head, and not an encoder."""
    return folder.startswith(f"{HEADS}/")


def read_candidate(folder: Path) -> Candidate:
    """Raises RegistryError when `folder` holds no candidate or its description is broken."""
    file = folder / CANDIDATE_FILE
    try:
        return Candidate.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise RegistryError(f"{folder}: 不是候选目录 · not a candidate: {CANDIDATE_FILE} is missing") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "candidate"
        raise RegistryError(f"{file}: {place}: {first['msg']}") from error


def check_compared(candidate: Candidate, comparison: Comparison) -> None:
    """Raise RegistryError unless exactly the parts of the candidate were compared."""
    if different := candidate.parts.keys() ^ comparison.tasks.keys():
        raise RegistryError(
            f"{candidate.target} {candidate.version}: 候选与比较的任务不一致 · candidate and comparison have not "
            f"the same tasks: {', '.join(sorted(different))}"
        )


def verify_bundles(candidate: Candidate, locate: Callable[[str], Path]) -> set[str]:
    """Verify every checksum of the bundles that the candidate names, and that each is what it is named as.

    `locate` tells where a bundle lies. Returns the encoders that the heads read, brought or not. Raises BundleError for
    a damaged bundle, RegistryError for one in another's place.
    """
    needed: set[str] = set()
    tasks = {folder: part for part, folder in candidate.parts.items()}
    for folder in candidate.folders:
        bundle = read_bundle_of(folder, locate(folder))
        if isinstance(bundle, HeadBundle):
            fits = bundle.task == tasks[folder]
            needed.add(encoder_folder(bundle.encoder.name, bundle.encoder.fingerprint))
        else:
            fits = encoder_folder(bundle.name, bundle.fingerprint) == folder
        if not fits:
            raise RegistryError(f"{locate(folder)}: 内容与名称不符 · holds another model than its name says")
    return needed
