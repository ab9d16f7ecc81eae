"""How a file of texts is laid out: its form, its encoding, its columns, and where its records begin."""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nlp_service.errors import ServiceError

TEXT_COLUMNS = ("text", "content", "comment", "review", "feedback", "内容", "文本", "评论", "反馈", "描述", "正文")
Form = Literal["csv", "jsonl", "plain"]
_FORMS: dict[str, Form] = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_CSV_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Span:
    """Whole records of a file: bytes from `start` up to `end`, the first of them on this line (from 1)."""

    start: int
    end: int
    line: int


@dataclass(frozen=True)
class Layout:
    """What has to be known of a file before any part of it can be read."""

    form: Form
    encoding: str
    column: str | None
    """The column or field of the text; None: the first of the usual names in each JSON record."""
    delimiter: str
    header: tuple[str, ...]
    """Columns of a CSV file."""
    records: Span
    """All records, without the header."""


def read_layout(file: Path, column: str | None = None) -> Layout:
    """Find out how a file is laid out; raises ServiceError when it cannot be read as a whole."""
    form = _FORMS.get(file.suffix.lower(), "plain")
    encoding, size = _encoding(file), file.stat().st_size
    if form != "csv":
        return Layout(form, encoding, column, "", (), Span(0, size, 1))
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    lines = CsvLines(file, encoding, Span(0, size, 1))
    try:
        header = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise ServiceError(f"{file}: CSV 表头无法读取 · the header cannot be read: {error}") from error
    finally:
        lines.close()
    name = column or next((name for name in TEXT_COLUMNS if name in header), header[0] if len(header) == 1 else None)
    if name is None or name not in header:
        columns = ", ".join(header)
        raise ServiceError(f"{file}: 请用 --text-column 指明文本列 · name the text column; columns: {columns}")
    return Layout(form, encoding, name, delimiter, tuple(header), Span(lines.position, size, lines.line))


class CsvLines(Iterator[str]):
    """The lines of a span, decoded, as `csv` wants them; knows where the next one begins. Close it when done.

    Bytes that are no text become lone surrogates, which a reader recognises; the other rows stay readable.
    """

    def __init__(self, file: Path, encoding: str, span: Span) -> None:
        self.position = span.start
        self.line = span.line
        self._encoding = encoding
        self._end = span.end
        self._stream = file.open("rb")
        self._stream.seek(span.start)
        self._pending: Iterator[bytes] = iter(())

    def __next__(self) -> str:
        if self.position >= self._end:
            raise StopIteration
        raw = next(self._pending, None)
        if raw is None:
            self._pending = iter(_CSV_LINE.findall(self._stream.readline()))
            raw = next(self._pending)
        text = raw.decode(line_encoding(self._encoding, self.position), errors="surrogateescape")
        self.position += len(raw)
        self.line += 1
        return text

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def line_encoding(encoding: str, position: int) -> str:
    """The encoding of a line at this byte: only the first may begin with a byte order mark."""
    return encoding if position == 0 else encoding.removesuffix("-sig")


def _encoding(file: Path) -> str:
    """UTF-8, or GB 18030 when the whole file is valid in it and not in UTF-8."""
    return next((encoding for encoding in ("utf-8-sig", "gb18030") if _is_valid(file, encoding)), "utf-8-sig")


def _is_valid(file: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with file.open("rb") as stream:
        try:
            while block := stream.read(_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
