"""What a file of texts holds, found in one pass without any model: its columns, and parts of equally many records."""

from dataclasses import dataclass
from pathlib import Path

from nlp_service.feedback.layout import Layout, Span, read_layout
from nlp_service.feedback.texts import BadLine, Line, read_span


@dataclass(frozen=True)
class Part:
    """Some records of a file that follow each other."""

    span: Span
    records: int


@dataclass(frozen=True)
class Survey:
    """A file as a whole."""

    layout: Layout
    fields: tuple[str, ...]
    """Fields of all records that can be analysed, in the order in which they first appear."""
    parts: tuple[Part, ...]
    texts: int
    """Records that can be analysed."""
    first_bad: BadLine | None = None

    @property
    def records(self) -> int:
        """All records, those that cannot be analysed among them."""
        return sum(part.records for part in self.parts)


def survey(file: Path, column: str | None = None, records_per_part: int | None = None) -> Survey:
    """Read a file once; memory is bounded by its longest line and the number of its parts.

    Without `records_per_part` all records are one part. Raises ServiceError when the file cannot be read as a whole.
    """
    layout = read_layout(file, column)
    fields: dict[str, None] = {}
    parts: list[Part] = []
    first_bad: BadLine | None = None
    texts = records = 0
    begin, end = layout.records, (layout.records.start, layout.records.line)
    for entry in read_span(file, layout, layout.records):
        if records == records_per_part:
            parts.append(Part(Span(begin.start, end[0], begin.line), records))
            begin, records = Span(end[0], begin.end, end[1]), 0
        records += 1
        end = entry.next_byte, entry.next_line
        if isinstance(entry.line, Line):
            texts += 1
            fields.update(dict.fromkeys(entry.line.record))
        else:
            first_bad = first_bad or entry.line
    if records:
        parts.append(Part(begin, records))
    return Survey(layout, tuple(fields), tuple(parts), texts, first_bad)
