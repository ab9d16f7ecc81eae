"""Analyses a file of texts in this process, with memory bounded by a chunk of it."""

from collections.abc import Callable
from pathlib import Path

from nlp_service.errors import ServiceError
from nlp_service.feedback.answered import AnalyseTexts, AnsweredFormat, answered
from nlp_service.feedback.claim import claimed
from nlp_service.feedback.survey import Survey
from nlp_service.feedback.tally import Tally
from nlp_service.feedback.texts import BadLine, read_span


def check_texts(file: Path, found: Survey) -> None:
    """Raise ServiceError when a file holds no text that can be analysed."""
    if not found.texts:
        bad = found.first_bad
        first = f"; 第 {bad.number} 行 · line {bad.number}: {bad.reason}" if bad else ""
        raise ServiceError(f"{file}: 没有可分析的文本 · no text can be analysed{first}")


def analyse_file(
    file: Path,
    found: Survey,
    target: Path,
    analyse: AnalyseTexts,
    *,
    on_bad: Callable[[BadLine], None],
    on_texts: Callable[[int], None],
) -> Tally:
    """Write the records of a file with their answers beside `target`, and put them in place when all are written.

    Raises ServiceError when another run makes the same result.
    """
    form, tally = AnsweredFormat.of(target, found.fields), Tally()
    partial = target.with_name(target.name + ".partial")
    lines = (entry.line for entry in read_span(file, found.layout, found.layout.records))

    def bad(line: BadLine) -> None:
        tally.bad += 1
        on_bad(line)

    with claimed(target):
        try:
            with partial.open("wb") as stream:
                stream.write(form.head)
                for rows in answered(lines, analyse, bad):
                    stream.writelines(form.row(line, answer) for line, answer in rows)
                    tally.count(answer for _, answer in rows)
                    on_texts(len(rows))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return tally
