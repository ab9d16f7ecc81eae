"""CSV with a header line, in UTF-8 or GB 18030.

The cells are separated by commas, or by semicolons or tabs, as spreadsheet programs write them in some countries.
"""

import csv
from collections.abc import Iterator
from itertools import chain, islice

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.encoding import Lines, detect
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.formats.table import ARTICLES, Layout, check_header, names_of, record_of, trimmed
from nlp_service.knowledge.records import Bad, Entry, Raw, check

SEPARATORS = ",;\t"


def read(source: Source) -> Iterator[Entry]:
    """Every article; see `records`."""
    for entry in records(source, ARTICLES):
        yield entry if isinstance(entry, Bad) else check(entry.place, entry.record)


def records(source: Source, layout: Layout) -> Iterator[Raw | Bad]:
    """Every row that is not blank, its cells as texts.

    Raises InvalidRecord when the header cannot be read, lacks a needed column, or has an unknown or doubled one.
    """
    lines = Lines(source.stream, detect(source.stream), carriage_returns=True)
    first_line = list(islice(lines, 1))
    reader = csv.reader(chain(first_line, lines), strict=True, delimiter=_separator("".join(first_line), layout))
    try:
        header = names_of(next(reader, []))
    except csv.Error as error:
        raise InvalidRecord(f"CSV 表头无法读取 · the CSV header cannot be read: {error}", place=0) from error
    if (problem := lines.take_problem()) is not None:
        raise InvalidRecord(f"CSV 表头: {problem}", place=0)
    check_header(header, layout)
    while True:
        first = reader.line_num + 1
        try:
            row = trimmed(next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            problem = lines.take_problem() or f"不是有效的 CSV · not valid CSV: {error}"
            yield Bad(_place(first, reader.line_num), problem)
            continue
        place = _place(first, reader.line_num)
        if (problem := lines.take_problem()) is not None:
            yield Bad(place, problem)
        elif row:
            yield record_of(place, header, row)


def _separator(header: str, layout: Layout) -> str:
    """The mark between most of the columns that a table has; a comma when none is better."""
    return max(SEPARATORS, key=lambda mark: len(set(layout.columns).intersection(names_of(header.split(mark)))))


def _place(first: int, last: int) -> str:
    number = str(first) if last <= first else f"{first}–{last}"
    return f"第 {number} 行 · line {number}"
