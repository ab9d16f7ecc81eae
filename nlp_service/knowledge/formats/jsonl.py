"""JSON Lines: a record a line, in UTF-8."""

import json
from collections.abc import Iterator
from typing import BinaryIO

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.encoding import Lines
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad, Entry, Raw, check


def read(source: Source) -> Iterator[Entry]:
    """Every article; see `records`."""
    for entry in records(source):
        yield entry if isinstance(entry, Bad) else check(entry.place, entry.record)


def records(source: Source) -> Iterator[Raw | Bad]:
    """Every record; blank lines are none, and are not counted. Raises InvalidRecord when no line is in UTF-8."""
    _check_encoding(source.stream)
    lines = Lines(source.stream)
    record = 0
    for line in lines:
        problem = lines.take_problem()
        if problem is None and not line.strip():
            continue
        record += 1
        place = f"第 {lines.number} 行,第 {record} 条 · line {lines.number}, record {record}"
        yield Bad(place, problem) if problem is not None else _entry(place, line)


def _check_encoding(stream: BinaryIO) -> None:
    """Raise InvalidRecord when no line can be read; mostly the first one can, and the rest is not looked at."""
    lines = Lines(stream)
    first: str | None = None
    for line in lines:
        problem = lines.take_problem()
        if problem is None and line.strip():
            break
        first = first or problem
    else:
        if first is not None:
            raise InvalidRecord(first, place=0)
    stream.seek(0)


def _entry(place: str, line: str) -> Raw | Bad:
    try:
        record = json.loads(line.rstrip("\r\n"))
    except (ValueError, RecursionError) as error:
        detail = f" ({error.msg}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        return Bad(place, f"不是有效的 JSON · not valid JSON{detail}")
    return Raw(place, record)
