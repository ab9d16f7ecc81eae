"""Puts the parts of a result together, in the order of the source."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from nlp_service.errors import ServiceError
from nlp_service.feedback.corpus_files import CorpusFile
from nlp_service.scale.job import Job, parts_folder
from nlp_service.scale.receipt import Output, Receipt, receipt_file

_BLOCK = 1 << 20


def gather(file: CorpusFile, job: Job, receipts: Sequence[Receipt]) -> None:
    """Write the result and the rejected lines, both whole or not at all, and remove the parts.

    Raises ServiceError when a part is not what its receipt says; run again, then it is made anew.
    """
    ordered = sorted(receipts, key=lambda receipt: receipt.shard.index)
    rows = file.target.with_name(file.target.name + ".partial")
    rejected = file.rejected.with_name(file.rejected.name + ".partial")
    try:
        with rows.open("wb") as answers, rejected.open("wb") as reasons:
            answers.write(job.form.head)
            for receipt in ordered:
                _append(answers, receipt, receipt.rows)
                _append(reasons, receipt, receipt.rejected)
        if any(receipt.rejected.bytes for receipt in ordered):
            rejected.replace(file.rejected)
        else:
            file.rejected.unlink(missing_ok=True)
        rows.replace(file.target)
    finally:
        rows.unlink(missing_ok=True)
        rejected.unlink(missing_ok=True)
    shutil.rmtree(parts_folder(file.target))


def _append(stream: BinaryIO, receipt: Receipt, output: Output) -> None:
    part, digest = receipt.shard.folder / output.name, hashlib.sha256()
    with part.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            stream.write(block)
    if digest.hexdigest() != output.sha256:
        _forget(receipt, part)


def _forget(receipt: Receipt, part: Path) -> None:
    receipt_file(receipt.shard).unlink(missing_ok=True)
    raise ServiceError(f"{part}: 校验和不符,请重新运行 · the checksum does not match; run again")
