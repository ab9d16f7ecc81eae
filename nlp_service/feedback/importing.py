"""Tickets and reviews from a file: every record checked, with a key, or bad with its place and the reason."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from nlp_service.errors import Conflict, InvalidRecord
from nlp_service.feedback.record import FeedbackItem
from nlp_service.feedback.store import FeedbackStore
from nlp_service.knowledge.formats import csv_table, jsonl
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.formats.table import Layout
from nlp_service.knowledge.records import Bad, Raw, reason

SUFFIXES = (".jsonl", ".ndjson", ".csv")
LAYOUT = Layout(tuple(FeedbackItem.model_fields), needed=("text", "kind"))
CONTENT_FIELDS = {"kind", "text", "customer_id", "product", "created_at"}
"""What tells a record without external id from others; the status may change."""


@dataclass(frozen=True)
class Good:
    """A record that can be taken in, and where in its file it stands."""

    place: str
    item: FeedbackItem


Entry = Good | Bad


class FeedbackImporter:
    """Takes records in, and counts what became of them. The same ones again change nothing.

    A record without external id gets one made from a hash of its content and a number: the n-th of equal ones is the
    n-th again when its file is read again.
    """

    def __init__(self, store: FeedbackStore, labels: Collection[str]) -> None:
        self.created = self.updated = self.unchanged = 0
        self._store = store
        self._labels = labels
        self._seen: Counter[str] = Counter()

    def read(self, source: Source) -> Iterator[Entry]:
        """Every record of a CSV or JSONL file in order.

        Raises InvalidRecord when the file cannot be read, or is of another kind.
        """
        for raw in _records(source):
            yield raw if isinstance(raw, Bad) else self._check(raw)

    def add(self, entries: Sequence[Good]) -> list[Bad]:
        """Take a batch in; those that contradict what is stored are given back, and do not stop the others."""
        try:
            self._take_in([entry.item for entry in entries])
        except Conflict:
            return [bad for entry in entries if (bad := self._add_one(entry)) is not None]
        return []

    def _add_one(self, entry: Good) -> Bad | None:
        try:
            self._take_in([entry.item])
        except Conflict as error:
            return Bad(entry.place, str(error))
        return None

    def _take_in(self, items: Sequence[FeedbackItem]) -> None:
        taken = self._store.take_in(items)
        self.created += taken.created
        self.updated += taken.updated
        self.unchanged += taken.unchanged

    def _check(self, raw: Raw) -> Entry:
        try:
            item = FeedbackItem.model_validate(raw.record)
        except ValidationError as error:
            return Bad(raw.place, reason(error))
        if item.reported_as is not None and item.reported_as not in self._labels:
            return Bad(raw.place, f"reported_as: 应为其中之一 · should be one of: {', '.join(self._labels)}")
        if item.external_id is None:
            item = item.model_copy(update={"external_id": self._key(item)})
        return Good(raw.place, item)

    def _key(self, item: FeedbackItem) -> str:
        content = json.dumps(item.model_dump(mode="json", include=CONTENT_FIELDS), sort_keys=True)
        key = f"content-{hashlib.sha256(content.encode()).hexdigest()[:32]}"
        self._seen[key] += 1
        return f"{key}-{self._seen[key]}"


def _records(source: Source) -> Iterator[Raw | Bad]:
    if source.suffix not in SUFFIXES:
        raise InvalidRecord(f"只支持 · only {', '.join(SUFFIXES)}", place=0)
    if source.suffix != ".csv":
        yield from jsonl.records(source)
        return
    for entry in csv_table.records(source, LAYOUT):
        yield entry if isinstance(entry, Bad) else _with_number(entry)


def _with_number(row: Raw) -> Raw:
    """The row with its rating as a number, when it is one."""
    record = row.record
    if isinstance(record, dict) and str(record.get("rating", "")).isdecimal():
        record = {**record, "rating": int(record["rating"])}
    return Raw(row.place, record)
