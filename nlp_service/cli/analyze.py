"""``nlp-service analyze``."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.markup import escape
from rich.table import Table

from nlp_service.cli.console import check_folder, console, output, progress
from nlp_service.cli.runtime import open_engine
from nlp_service.errors import ServiceError
from nlp_service.feedback.texts import BadLine, Line, read_texts
from nlp_service.inference.classification import Classification
from nlp_service.inference.sentiment import Sentiment
from nlp_service.settings import Settings

CHUNK = 256
SHOWN_BAD_LINES = 20
COLUMNS = ("line", "sentiment", "sentiment_score", "sentiment_confidence", "class", "class_confidence", "needs_review")
"""Added to each record; one that the record has already gets `_nlp` behind its name."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Answer = tuple[Sentiment, Classification]


def analyze(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV、JSONL,或每行一条文本 · or a text a line")
    ],
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="结果文件(.jsonl 或 .csv) · file to write")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="文本所在的列或字段 · column or field of the text")] = None,
) -> None:
    """分析文件中每条文本的情感与类别 · sentiment and class of every text in a file."""
    target = output_file or file.with_name(
        f"{file.stem}.analyzed.{'csv' if file.suffix.lower() == '.csv' else 'jsonl'}"
    )
    if target.suffix.lower() not in {".csv", ".jsonl"}:
        raise ServiceError(f"{target}: 结果文件须为 .jsonl 或 .csv · the output must be .jsonl or .csv")
    check_folder(target)
    if target.resolve() == file.resolve():
        raise ServiceError(f"{target}: 结果不能覆盖输入 · the output would replace the input")
    entries = list(read_texts(file, text_column))
    lines = [entry for entry in entries if isinstance(entry, Line)]
    bad = [entry for entry in entries if isinstance(entry, BadLine)]
    answers: list[Answer] = []
    if lines:
        with open_engine(Settings()) as engine, progress() as bar, _writer(target, lines) as write:
            task = bar.add_task("分析 · analysing", total=len(lines))
            for chunk in _chunks(lines):
                results = engine.analyse([line.text for line in chunk])
                for line, answer in zip(chunk, results, strict=True):
                    write(line, answer)
                answers.extend(results)
                bar.advance(task, len(chunk))
    _report_bad(bad)
    if not lines:
        raise ServiceError(f"{file}: 没有可分析的文本 · no text can be analysed")
    _summary(answers, len(bad))
    console.print(f"[green]✓[/green] {len(lines):,} 条 · texts → {escape(str(target))}")


def _chunks(lines: list[Line]) -> Iterator[list[Line]]:
    iterator = iter(lines)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


@contextmanager
def _writer(target: Path, lines: list[Line]) -> Iterator[Callable[[Line, Answer], None]]:
    """Write results beside `target` and put them in place when all are written."""
    fields = list(dict.fromkeys(name for line in lines for name in line.record))
    added = [f"{name}_nlp" if name in fields else name for name in COLUMNS]
    partial = target.with_name(target.name + ".partial")
    is_csv = target.suffix.lower() == ".csv"
    encoding = "utf-8-sig" if is_csv else "utf-8"
    try:
        # A lone surrogate in a field that is only passed through is written as its JSON escape.
        with partial.open("w", encoding=encoding, errors="backslashreplace", newline="") as stream:
            yield _csv_writer(stream, fields, added) if is_csv else _jsonl_writer(stream, added)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _jsonl_writer(stream: TextIO, added: list[str]) -> Callable[[Line, Answer], None]:
    def write(line: Line, answer: Answer) -> None:
        row = {**line.record, **dict(zip(added, _row(line, answer), strict=True))}
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    return write


def _csv_writer(stream: TextIO, fields: list[str], added: list[str]) -> Callable[[Line, Answer], None]:
    writer = csv.writer(stream)
    writer.writerow([*map(_harmless, fields), *added])

    def write(line: Line, answer: Answer) -> None:
        writer.writerow([*(_harmless(line.record.get(name, "")) for name in fields), *_row(line, answer)])

    return write


def _harmless(value: Any) -> Any:
    """A cell that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _row(line: Line, answer: Answer) -> tuple[Any, ...]:
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


def _report_bad(bad: list[BadLine]) -> None:
    for line in bad[:SHOWN_BAD_LINES]:
        console.print(
            f"[yellow]![/yellow] 第 {line.number} 行已跳过 · line {line.number} skipped: {escape(line.reason)}"
        )
    if len(bad) > SHOWN_BAD_LINES:
        numbers = ", ".join(str(line.number) for line in bad[SHOWN_BAD_LINES:])
        console.print(f"[yellow]![/yellow] 另有 {len(bad) - SHOWN_BAD_LINES} 行已跳过 · more skipped lines: {numbers}")


def _summary(answers: list[Answer], bad: int) -> None:
    total = len(answers)
    kinds = list(answers[0][1].probabilities) if answers else []
    table = Table("", *(f"{kind}" for kind in kinds), "合计 · all", title="情感 × 类别 · sentiment × class")
    pairs = Counter((sentiment.label, kind.label) for sentiment, kind in answers)
    for label in ("negative", "neutral", "positive"):
        row = [pairs[label, kind] for kind in kinds]
        table.add_row(label, *map(str, row), _share(sum(row), total))
    table.add_row(
        "合计 · all",
        *(_share(sum(count for pair, count in pairs.items() if pair[1] == kind), total) for kind in kinds),
        str(total),
    )
    output.print(table)
    review = sum(sentiment.needs_review or kind.needs_review for sentiment, kind in answers)
    output.print(f"需人工复核 · needs review: {_share(review, total)}   跳过 · skipped: {bad}")


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})"
