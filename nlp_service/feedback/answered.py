"""Records of a file with the answers for their texts, as they are written to another file."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from nlp_service.errors import ServiceError
from nlp_service.feedback.texts import BadLine, Line
from nlp_service.inference.classification import Classification
from nlp_service.inference.sentiment import Sentiment

COLUMNS = ("line", "sentiment", "sentiment_score", "sentiment_confidence", "class", "class_confidence", "needs_review")
"""Added to each record; one that the record has already gets `_nlp` behind its name."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CHUNK = 256
Answer = tuple[Sentiment, Classification]
AnalyseTexts = Callable[[list[str]], list[Answer]]
Suffix = Literal[".csv", ".jsonl"]


@dataclass(frozen=True)
class AnsweredFormat:
    """How rows are written, the same for a whole file and for any part of it."""

    suffix: Suffix
    fields: tuple[str, ...]
    """Fields of all records of the file."""

    @classmethod
    def of(cls, target: Path, fields: tuple[str, ...]) -> "AnsweredFormat":
        """By the name of the file that is to be written."""
        return cls(output_suffix(target), fields)

    @property
    def added(self) -> list[str]:
        """Names of the columns that are added."""
        return [f"{name}_nlp" if name in self.fields else name for name in COLUMNS]

    @property
    def head(self) -> bytes:
        """What a file begins with; in CSV a byte order mark, so that spreadsheets read it as UTF-8."""
        if self.suffix == ".jsonl":
            return b""
        return _encode("\ufeff" + _csv_line([*map(_harmless, self.fields), *self.added]))

    def row(self, line: Line, answer: Answer) -> bytes:
        """One record with its answers."""
        answers = _answers(line, answer)
        if self.suffix == ".jsonl":
            row = {**line.record, **dict(zip(self.added, answers, strict=True))}
            return _encode(json.dumps(row, ensure_ascii=False) + "\n")
        return _encode(_csv_line([*(_harmless(line.record.get(name, "")) for name in self.fields), *answers]))


def output_suffix(target: Path) -> Suffix:
    """The form of a file that is to be written; raises ServiceError for one that is not known."""
    match target.suffix.lower():
        case ".csv":
            return ".csv"
        case ".jsonl":
            return ".jsonl"
    raise ServiceError(f"{target}: 结果文件须为 .jsonl 或 .csv · the output must be .jsonl or .csv")


def answered(
    lines: Iterable[Line | BadLine], analyse: AnalyseTexts, on_bad: Callable[[BadLine], None]
) -> Iterator[list[tuple[Line, Answer]]]:
    """Every line with its answers, some hundred at a time, in order; what cannot be analysed goes to `on_bad`."""
    good = _good(lines, on_bad)
    while chunk := list(islice(good, CHUNK)):
        yield list(zip(chunk, analyse([line.text for line in chunk]), strict=True))


def _good(lines: Iterable[Line | BadLine], on_bad: Callable[[BadLine], None]) -> Iterator[Line]:
    for line in lines:
        if isinstance(line, Line):
            yield line
        else:
            on_bad(line)


def _encode(text: str) -> bytes:
    """UTF-8; a lone surrogate in a field that is only passed through is written as its JSON escape."""
    return text.encode("utf-8", errors="backslashreplace")


def _csv_line(cells: list[Any]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerow(cells)
    return stream.getvalue()


def _harmless(value: Any) -> Any:
    """A cell that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _answers(line: Line, answer: Answer) -> tuple[Any, ...]:
    sentiment, kind = answer
    return (
        line.number,
        sentiment.label,
        round(sentiment.score, 4),
        round(sentiment.confidence, 4),
        kind.label,
        round(kind.confidence, 4),
        sentiment.needs_review or kind.needs_review,
    )
