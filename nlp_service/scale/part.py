"""Analyses one shard: the part of the work that runs on any machine, as often as it takes."""

import hashlib
import json
import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from nlp_service.errors import ServiceError
from nlp_service.feedback.answered import AnalyseTexts, answered
from nlp_service.feedback.tally import Tally
from nlp_service.feedback.texts import BadLine, read_span
from nlp_service.scale.job import Job, Shard, span_sha256
from nlp_service.scale.receipt import Output, Receipt, read_receipt, write_receipt


def analyse_shard(shard: Shard, job: Job, analyse: AnalyseTexts) -> Receipt:
    """The receipt of a shard, which is made unless it stands already.

    Memory is bounded by a chunk of texts. Raises ServiceError when the source is no longer what it was.
    """
    finished = read_receipt(shard, job.digest)
    if finished is not None:
        return finished
    if span_sha256(job.source, shard.span) != shard.sha256:
        raise ServiceError(f"{job.source}: 文件在分析时被改动 · the file was changed while it was analysed; run again")
    tally = Tally()
    lines = (entry.line for entry in read_span(job.source, job.layout, shard.span))
    attempt = f"{shard.index:08}-{uuid.uuid4().hex}"
    with _Output(shard.folder / attempt) as rows, _Output(shard.folder / f"{attempt}.bad") as rejected:

        def bad(line: BadLine) -> None:
            tally.bad += 1
            reason = json.dumps({"line": line.number, "reason": line.reason}, ensure_ascii=False)
            rejected.write(f"{reason}\n".encode("utf-8", errors="backslashreplace"))

        for chunk in answered(lines, analyse, bad):
            tally.count(answer for _, answer in chunk)
            for line, answer in chunk:
                rows.write(job.form.row(line, answer))
    if tally.texts + tally.bad != shard.records:
        raise ServiceError(f"{job.source}: {tally.texts} + {tally.bad} != {shard.records} 条记录 · records")
    receipt = Receipt(shard=shard, job=job.digest, rows=rows.written, rejected=rejected.written, tally=tally)
    write_receipt(receipt)
    return receipt


class _Output:
    """A file with its size and SHA-256, on the disk when it is closed; removed when it could not be finished."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._stream = file.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._stream.close()
        if kind is not None:
            self._file.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """Append."""
        self._stream.write(content)
        self._digest.update(content)
        self._bytes += len(content)

    @property
    def written(self) -> Output:
        """What was written."""
        return Output(name=self._file.name, bytes=self._bytes, sha256=self._digest.hexdigest())
