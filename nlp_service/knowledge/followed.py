"""The indexes of a process, which follow the sequences of changes in the database.

Terms and facets are kept once. Each encoder that serves, or is about to, has a space of vectors beside them.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.index.protocol import VectorIndex
from nlp_service.knowledge.indexes import TextIndexes
from nlp_service.knowledge.keys import Kind, key_of, record_of
from nlp_service.knowledge.reading import Records, read_records
from nlp_service.knowledge.shown import ShownRecords
from nlp_service.knowledge.sources import SOURCES, Source, last_changes
from nlp_service.knowledge.space import Vector, VectorSpace
from nlp_service.storage.database import Database

LOAD_CHUNK = 256
ENCODE_TOGETHER = 8
"""Passages that are encoded at once in the background: a request waits for at most so many."""
Sequences = dict[Kind, int]
"""The last change that the indexes hold, of each kind of record."""
Progress = Callable[[int, int], None]
"""Gets (done, total)."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class State:
    """The indexes at one moment, to be saved."""

    text: TextIndexes
    vectors: VectorIndex
    sequences: Sequences


class FollowedIndexes:
    """May be used by several threads; hold `lock` while you read `text` or the index of a space.

    Records are read and their texts segmented without it, so that searches go on meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self.lock = threading.RLock()
        self.text = TextIndexes()
        self.shown = ShownRecords(database)
        self.spaces: list[VectorSpace] = []
        self.building = False
        """Whether the records are still being read: those that are not yet there are not found."""
        self.unsaved = 0
        """Changes of records since the indexes were last saved, or opened."""
        self.fills_later = False
        """Whether somebody else calls `fill`; else `follow` waits for vectors that have to be computed."""
        self._following = threading.Lock()
        """Held by the one thread that reads changes, or begins anew; taken before `lock`, never while that is held."""
        self._database = database
        self._seen: Sequences = {source.kind: 0 for source in SOURCES}
        self._touched: set[int] = set()
        self._looked = -math.inf
        """When somebody began to look for changes who has found them all, of `time.perf_counter`."""

    @property
    def followed(self) -> Sequences:
        """The last change that the indexes hold."""
        return dict(self._seen)

    def restore(self, text: TextIndexes, sequences: Sequences) -> None:
        """Take text indexes that hold all changes up to `sequences`."""
        with self._following, self.lock:
            self.text, self._seen, self._looked = text, dict(sequences), -math.inf
            self.shown.forget_all()

    def add(self, space: VectorSpace, at: Sequences | None) -> None:
        """Keep a space current from now on; `at` is what its vectors hold, None when there are none."""
        with self._following, self.lock, self._database.read() as session:
            present = set(self.text.keys.tolist())
            stale = present if at is None else _changed(session, at)
            space.align(present, stale)
            self.spaces = [*self.spaces, space]

    def drop(self, space: VectorSpace) -> None:
        """Keep a space current no longer."""
        with self.lock:
            self.spaces = [other for other in self.spaces if other is not space]

    def begin(self) -> list[tuple[Source, Sequence[int]]]:
        """Forget everything, and give the numbers of the records to read; what changes from now on is followed."""
        with self._following, self.lock, self._database.read() as session:
            self.building, self.text = True, TextIndexes()
            self._touched.clear()
            for space in self.spaces:
                space.reset()
            self._seen, self._looked = last_changes(session), -math.inf
            self.shown.forget_all()
            return [(source, source.numbers(session)) for source in SOURCES]

    def build(self, progress: Progress | None = None, stop: Callable[[], bool] = _never) -> None:
        """Read all records anew, with the vectors that are stored; what has been read is found at once."""
        everything = self.begin()
        total, done = sum(len(numbers) for _, numbers in everything), 0
        for source, numbers in everything:
            for some in _chunks(numbers):
                if stop():
                    return
                self._read(source, some)
                done += len(some)
                if progress is not None:
                    progress(done, total)
        self.building = False
        self.unsaved += total

    def follow(self, since: float | None = None) -> None:
        """Hold at least the changes that were committed before the call, or before `since` (of `time.perf_counter`).

        Of those who come together one looks for all: whoever has looked after they came. Of many changes some are found
        before the others.
        """
        if since is not None and self._looked > since:
            return
        looked = time.perf_counter()
        with self._database.look() as connection:
            last = last_changes(connection)
        if last != self._seen:
            with self._following, self._database.read() as session:
                self._catch_up(session)
        if not self.fills_later:
            for space in self.spaces:
                self.fill(space)
        self._looked = max(self._looked, looked)

    def fill(self, space: VectorSpace, stop: Callable[[], bool] = _never, *, together: int = LOAD_CHUNK) -> None:
        """Put the vectors that a space lacks: stored ones, and others computed, `together` at once, and stored.

        Processes that fill at the same time go in different orders, so each computes only a part.
        """
        with self.lock:
            order = list(space.missing)
        random.shuffle(order)
        for some in _chunks(order):
            for source in SOURCES:
                numbers = [number for kind, number in map(record_of, some) if kind == source.kind]
                if numbers and not stop():
                    self._fill(space, source, numbers, together, stop)

    def merge(self, space: VectorSpace) -> bool:
        """Merge a space if it is due, while searches and changes go on; whether it was."""
        with self.lock:
            copied = space.begin_merge()
        if copied is None:
            return False
        merged = None
        try:
            merged = copied.merged()
        finally:
            with self.lock:
                space.end_merge(merged)
        return True

    def state(self, space: VectorSpace) -> State:
        """The indexes at this moment, with the vectors of a space."""
        with self.lock:
            self.unsaved = 0
            return State(self.text.copy(), space.saving(), dict(self._seen))

    def _read(self, source: Source, numbers: Sequence[int]) -> None:
        with self._database.read() as session:
            read = self._records(session, source, numbers)
        with self.lock:
            # What `follow` has met since is at least as new as what was read here.
            self._put(read, [document for document in read.documents if document.key not in self._touched])

    def _catch_up(self, session: Session) -> None:
        last = last_changes(session)
        for source in SOURCES:
            if last[source.kind] != self._seen[source.kind]:
                for some in _chunks(source.changed_after(session, self._seen[source.kind])):
                    self._apply(source, some, self._records(session, source, some))
        with self.lock:
            self._seen = last

    def _apply(self, source: Source, numbers: Sequence[int], read: Records) -> None:
        keys = {key_of(source.kind, number) for number in numbers}
        gone = sorted(keys - {document.key for document in read.documents})
        with self.lock:
            self.shown.forget(keys)
            self.text.remove(gone)
            for space in self.spaces:
                space.remove(gone)
            self._put(read, read.documents)
            self.unsaved += len(keys)
            if self.building:
                self._touched |= keys

    def _records(self, session: Session, source: Source, numbers: Sequence[int]) -> Records:
        return read_records(session, source, numbers, [space.fingerprint for space in self.spaces])

    def _put(self, read: Records, documents: Sequence[Document]) -> None:
        self.text.put((document, read.terms[document.key]) for document in documents)
        for space in self.spaces:
            space.take(documents, read.vectors.get(space.fingerprint, {}))

    def _fill(
        self, space: VectorSpace, source: Source, numbers: Sequence[int], together: int, stop: Callable[[], bool]
    ) -> None:
        with self.lock:
            lacking = {key: space.missing.get(key) for key in (key_of(source.kind, number) for number in numbers)}
        with self._database.read() as session:
            documents = source.documents(session, numbers)
            vectors = source.stored_vectors(session, documents, space.fingerprint)
        new: dict[int, tuple[Document, Vector]] = {}
        unknown = [document for document in documents if document.id not in vectors]
        for start in range(0, len(unknown), together):
            if stop():
                break
            some = unknown[start : start + together]
            computed = space.encode([document.passage for document in some])
            new |= {document.id: (document, vector) for document, vector in zip(some, computed, strict=True)}
        if new:
            with self._database.write() as session:
                source.store_vectors(session, new, space.fingerprint)
        vectors |= {number: vector for number, (_, vector) in new.items()}
        with self.lock:
            # A record that changed while its vector was computed is filled by the next call.
            known = [one for one in documents if one.id in vectors and lacking[one.key] is not None]
            same = [one for one in known if space.missing.get(one.key) == lacking[one.key]]
            space.put([one.key for one in same], [vectors[one.id] for one in same])
            gone = set(lacking) - {document.key for document in documents}
            space.remove([key for key in gone if space.missing.get(key) == lacking[key]])


def _changed(session: Session, after: Sequences) -> set[int]:
    return {
        key_of(source.kind, number)
        for source in SOURCES
        for number in source.changed_after(session, after[source.kind])
    }


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), LOAD_CHUNK):
        yield numbers[start : start + LOAD_CHUNK]
