"""The receipt of a shard: it is written last, in one step, so a shard is finished exactly when its receipt stands.

What a shard wrote has a name of its own for each attempt, so that two attempts at once, such as when a machine is only
thought to be lost, never mix.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nlp_service.feedback.tally import Tally
from nlp_service.scale.job import Shard, replace_whole


class Output(BaseModel):
    """A file that a shard wrote, inside the folder of the parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{32}(\.bad)?$")]
    bytes: int
    sha256: str


class Receipt(BaseModel):
    """What came of a shard: a row or a rejected line for each record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shard: Shard
    job: str
    """Digest of the description of the run."""
    rows: Output
    rejected: Output
    tally: Tally


def receipt_file(shard: Shard) -> Path:
    """Where the receipt of a shard lies."""
    return shard.folder / f"{shard.index:08}.json"


def write_receipt(receipt: Receipt) -> None:
    """Finish a shard."""
    replace_whole(receipt_file(receipt.shard), receipt.model_dump_json().encode())


def read_receipt(shard: Shard, job: str) -> Receipt | None:
    """The receipt of a shard of this run; None when it is unfinished, or its source, models or output have changed."""
    try:
        receipt = Receipt.model_validate_json(receipt_file(shard).read_bytes())
    except (OSError, ValidationError):
        return None
    whole = all(_is_whole(shard.folder, output) for output in (receipt.rows, receipt.rejected))
    return receipt if (receipt.shard, receipt.job) == (shard, job) and whole else None


def _is_whole(folder: Path, output: Output) -> bool:
    try:
        return (folder / output.name).stat().st_size == output.bytes
    except OSError:
        return False
