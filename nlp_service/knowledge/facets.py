"""What a search can be narrowed to: the facets of every record, kept so that filters work before the best are chosen.

A filter compares whole columns, one entry for each key; its cost grows with the number of keys, not with that of
different values, and the result is a mask for the indexes.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge.facet_columns import TagColumn, TextColumn, Vocabulary
from nlp_service.knowledge.growing import grown
from nlp_service.knowledge.keys import Kind, Mask

Field = Literal["kind", "product", "module", "scenario", "tags", "status"]
TEXT_FIELDS: tuple[Field, ...] = ("kind", "product", "module", "scenario", "status")
COMPACT_FROM = 4096
REMEMBERED = 16
"""Filters whose masks are kept."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Facets:
    """One record. `at`, with its time zone: when an article was last changed, when a case was created."""

    kind: Kind
    product: str | None
    module: str | None
    scenario: str
    tags: frozenset[str]
    status: str
    at: datetime


@dataclass(frozen=True)
class Filters:
    """Records that a search covers: every condition must hold, with any of its values; None is no condition.

    Values match exactly, a scenario in any case. `since` is the first moment that counts, `until` the first that no
    longer does; both have a time zone.
    """

    product: frozenset[str] | None = None
    module: frozenset[str] | None = None
    scenario: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    status: frozenset[str] | None = None
    kind: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


class FacetIndex:
    """Keys (0 or more) with their facets. Not safe for use by several threads at once."""

    def __init__(self) -> None:
        self._present = np.zeros(0, bool)
        self._at = np.zeros(0, np.int64)
        """Microseconds since 1970 in UTC."""
        self._texts = {field: TextColumn(_vocabulary(field)) for field in TEXT_FIELDS}
        self._tags = TagColumn(_vocabulary("tags"), np.zeros(0, np.int32), np.zeros(0, np.int32), 0)
        self._size = self._records = self._changes = 0
        self._matched: dict[tuple[Filters, frozenset[str] | None], Mask] = {}
        """What was asked for since the last change."""

    def __len__(self) -> int:
        return self._records

    def put(self, key: int, facets: Facets) -> None:
        """Add a record; a key that is already there is replaced."""
        at = _microseconds(facets.at)
        self.remove([key])
        self._matched.clear()
        self._size = max(self._size, key + 1)
        self._present, self._at = grown(self._present, self._size, False), grown(self._at, self._size, 0)
        self._present[key], self._at[key] = True, at
        for field, column in self._texts.items():
            column.put(key, getattr(facets, field))
        self._tags.put(key, facets.tags)
        self._records += 1

    def remove(self, keys: Iterable[int]) -> None:
        """Take records out; unknown keys are ignored."""
        for key in keys:
            if 0 <= key < self._size and self._present[key]:
                self._matched.clear()
                self._present[key] = False
                self._tags.clear(key)
                self._records -= 1
                self._changes += 1
        if self._changes > max(COMPACT_FROM, self._records):
            self._compact()

    def match(self, filters: Filters, default_statuses: frozenset[str] | None) -> Mask:
        """The keys that the filters leave; `default_statuses` count where the filters name no status.

        The mask is read-only, and the same object until something changes: what is made of it may be kept.
        """
        asked = (filters, default_statuses)
        if asked not in self._matched:
            if len(self._matched) >= REMEMBERED:
                self._matched.clear()
            self._matched[asked] = self._match(filters, default_statuses)
            self._matched[asked].setflags(write=False)
        return self._matched[asked]

    def _match(self, filters: Filters, default_statuses: frozenset[str] | None) -> Mask:
        mask = self._present[: self._size].copy()
        for field in (*TEXT_FIELDS, "tags"):
            values: frozenset[str] | None = getattr(filters, field)
            if field == "status" and values is None:
                values = default_statuses
            if values is not None:
                mask &= self._column(field).among(values, self._size)
        at = self._at[: self._size]
        if filters.since is not None:
            mask &= at >= _microseconds(filters.since)
        if filters.until is not None:
            mask &= at < _microseconds(filters.until)
        return mask

    def same(self, field: Field, value: str) -> Mask:
        """The keys whose `field` is, or among whose tags is, `value`."""
        return self._present[: self._size] & self._column(field).among([value], self._size)

    def facets_of(self, key: int) -> Facets | None:
        """What was put for a key; None for an unknown one."""
        if not (0 <= key < self._size and self._present[key]):
            return None
        texts = {field: column.value(key) for field, column in self._texts.items()}
        return Facets(
            kind=cast(Kind, texts["kind"]),
            product=texts["product"],
            module=texts["module"],
            scenario=cast(str, texts["scenario"]),
            tags=self._tags.value(key),
            status=cast(str, texts["status"]),
            at=_EPOCH + int(self._at[key]) * _MICROSECOND,
        )

    def save(self, folder: Path) -> None:
        """Write everything into an existing folder; nothing of removed records is written."""
        self._compact()
        codes, keys = self._tags.pairs()
        arrays: dict[str, NDArray[Any]] = {field: column.codes for field, column in self._texts.items()}
        arrays |= {"present": self._present, "at": self._at * self._present, "tags": codes, "tag_keys": keys}
        np.savez(folder / "facets.npz", **arrays)  # type: ignore[arg-type] # the stub takes them for its own options
        words = {field: self._column(field).vocabulary.values for field in (*TEXT_FIELDS, "tags")}
        (folder / "facets.json").write_text(json.dumps(words), "utf-8")

    @classmethod
    def open(cls, folder: Path) -> "FacetIndex":
        """What was saved in `folder`; IndexDamaged when a file is missing, unreadable or does not fit the other."""
        try:
            with (folder / "facets.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            words = json.loads((folder / "facets.json").read_text("utf-8"))
            index = cls()
            index._present, index._at = arrays["present"], arrays["at"]
            index._size = len(index._present)
            index._records = int(np.count_nonzero(index._present))
            index._texts = {field: TextColumn(_vocabulary(field, words), arrays[field]) for field in TEXT_FIELDS}
            index._tags = TagColumn(_vocabulary("tags", words), arrays["tags"], arrays["tag_keys"], index._size)
        except (OSError, ValueError, EOFError, KeyError, TypeError, BadZipFile) as error:
            raise IndexDamaged("属性索引文件无法读取 · a file of the facet index cannot be read") from error
        index._check()
        return index

    def _check(self) -> None:
        columns = [self._present, self._at, *(column.codes for column in self._texts.values())]
        typed = self._present.dtype == np.bool_ and self._at.dtype == np.int64
        if not typed or any(column.shape != (self._size,) for column in columns):
            raise IndexDamaged("属性索引文件互不匹配 · the files of the facet index do not fit together")
        if any(np.any(self._texts[field].codes[self._present] < 0) for field in ("kind", "scenario", "status")):
            raise IndexDamaged("属性索引缺少必填属性 · a record of the facet index lacks a facet")

    def _column(self, field: Field) -> TextColumn | TagColumn:
        return self._tags if field == "tags" else self._texts[field]

    def _compact(self) -> None:
        self._present, self._at = self._present[: self._size].copy(), self._at[: self._size].copy()
        for column in self._texts.values():
            column.pack(self._present)
        self._tags = self._tags.packed(self._size)
        self._changes = 0


def _vocabulary(field: Field, words: dict[str, list[str]] | None = None) -> Vocabulary:
    return Vocabulary(str.casefold if field == "scenario" else str, () if words is None else words[field])


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
