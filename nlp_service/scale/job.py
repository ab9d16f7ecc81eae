"""What a run over one file is to do: its description, and the shards that it consists of.

Beside the result, in a folder `<result>.parts`, lie the description (`job.json`) and what is finished. All machines
reach this folder and the source by the same paths.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from nlp_service import __version__
from nlp_service.errors import ServiceError
from nlp_service.feedback.answered import AnsweredFormat, Suffix
from nlp_service.feedback.corpus_files import CorpusFile
from nlp_service.feedback.layout import Layout, Span
from nlp_service.feedback.survey import Survey

JOB_FILE = "job.json"
_BLOCK = 1 << 20


class Job(BaseModel):
    """The same for all shards; another description makes what was finished before worthless."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Path
    layout: Layout
    fields: tuple[str, ...]
    suffix: Suffix
    models: dict[str, str]
    version: str = __version__

    @classmethod
    def of(cls, file: CorpusFile, found: Survey, models: dict[str, str]) -> "Job":
        """The description of a run over a file."""
        form = AnsweredFormat.of(file.target, found.fields)
        return cls(
            source=file.source.resolve(), layout=found.layout, fields=found.fields, suffix=form.suffix, models=models
        )

    @property
    def form(self) -> AnsweredFormat:
        """How rows are written."""
        return AnsweredFormat(self.suffix, self.fields)

    @property
    def digest(self) -> str:
        """SHA-256 of the description."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Shard(BaseModel):
    """Some records of the source, and the SHA-256 of their bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    index: int
    span: Span
    records: int
    sha256: str


def parts_folder(target: Path) -> Path:
    """Where the parts of a result lie while it is made."""
    return target.absolute().with_name(f"{target.name}.parts")


def shards_of(file: CorpusFile, found: Survey) -> Iterator[Shard]:
    """The shards of a file, in order."""
    folder = parts_folder(file.target)
    for index, part in enumerate(found.parts):
        checksum = span_sha256(file.source, part.span)
        yield Shard(folder=folder, index=index, span=part.span, records=part.records, sha256=checksum)


def write_job(folder: Path, job: Job) -> None:
    """Put the description into the folder of the parts, which is made if need be."""
    folder.mkdir(exist_ok=True)
    replace_whole(folder / JOB_FILE, job.model_dump_json(indent=1).encode())


def read_job(folder: Path) -> Job:
    """Raises ServiceError where the folder is not reached: it must be shared by all machines."""
    try:
        return Job.model_validate_json((folder / JOB_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise ServiceError(
            f"{os.uname().nodename}: {folder} 读不到,须为所有机器共享的目录 · "
            f"cannot be read here; it must be a folder that all machines share ({type(error).__name__})"
        ) from error


def span_sha256(file: Path, span: Span) -> str:
    """SHA-256 of the bytes of a span."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        stream.seek(span.start)
        left = span.end - span.start
        while left and (block := stream.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def replace_whole(file: Path, content: bytes) -> None:
    """Write a file so that it is there wholly or not at all, also after the machine went down."""
    partial = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(file)
