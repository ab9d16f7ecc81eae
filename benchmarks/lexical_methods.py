"""BM25 at size beside peers: what a query of some terms takes, and one changed document."""

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import bm25s
import numpy as np

from benchmarks.process import memory
from nlp_service.knowledge.lexical_index import K1, B, LexicalIndex

TOP = 100
"""As many as a hybrid search takes."""
CHANGES, CHANGE_SECONDS = 1_000, 20.0
Texts = list[list[str]]


class Method(Protocol):
    """An index of texts, each a list of terms."""

    def __init__(self, texts: Texts, folder: Path) -> None: ...

    def search(self, terms: Sequence[str]) -> object:
        """The TOP best."""
        ...

    def change(self, number: int, terms: Sequence[str]) -> None:
        """Replace a text, so that the next search finds it."""
        ...


class Own:
    """The service's."""

    def __init__(self, texts: Texts, folder: Path) -> None:  # noqa: ARG002
        self._index = LexicalIndex()
        for number, terms in enumerate(texts):
            self._index.put(number, terms)

    def search(self, terms: Sequence[str]) -> object:
        """See `Method.search`."""
        return self._index.search(terms, TOP)

    def change(self, number: int, terms: Sequence[str]) -> None:
        """See `Method.change`."""
        self._index.put(number, terms)


class Bm25s:
    """bm25s, which is built anew after each change."""

    def __init__(self, texts: Texts, folder: Path) -> None:  # noqa: ARG002
        self._texts = texts
        self._build()

    def search(self, terms: Sequence[str]) -> object:
        """See `Method.search`."""
        return self._index.retrieve([list(terms)], k=TOP, show_progress=False)

    def change(self, number: int, terms: Sequence[str]) -> None:
        """See `Method.change`."""
        self._texts[number] = list(terms)
        self._build()

    def _build(self) -> None:
        self._index = bm25s.BM25(method="lucene", k1=K1, b=B)
        self._index.index(self._texts, show_progress=False)


class Fts5:
    """SQLite's own full-text index, in a file, one transaction for each change."""

    def __init__(self, texts: Texts, folder: Path) -> None:
        file = folder / "fts5.db"
        file.unlink(missing_ok=True)  # of a run before
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE VIRTUAL TABLE texts USING fts5(terms, tokenize=\"ascii tokenchars '-_.'\")")
        self._connection.execute("BEGIN")
        rows = ((number, " ".join(terms)) for number, terms in enumerate(texts))
        self._connection.executemany("INSERT INTO texts (rowid, terms) VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")

    def search(self, terms: Sequence[str]) -> object:
        """See `Method.search`."""
        wanted = " OR ".join(f'"{term}"' for term in terms)
        found = f"SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT {TOP}"  # noqa: S608
        return self._connection.execute(found, (wanted,)).fetchall()

    def change(self, number: int, terms: Sequence[str]) -> None:
        """See `Method.change`."""
        self._connection.execute("UPDATE texts SET terms = ? WHERE rowid = ?", (" ".join(terms), number))


METHODS: dict[str, type[Method]] = {"nlp-service": Own, "bm25s": Bm25s, "SQLite FTS5": Fts5}


@dataclass(frozen=True)
class LexicalFigures:
    """Of one way; times in milliseconds, memory beyond that of the texts in MB."""

    method: str
    p50_ms: float
    p99_ms: float
    build_s: float
    change_ms: float
    """A changed text and the search after it, which may have to do what the change left; the median."""
    own_mb: float


def measure(name: str, terms_file: Path, queries: Sequence[Sequence[str]], folder: Path) -> LexicalFigures:
    """Build an index of the terms in a file, a JSON list a line, and ask it; alone in its process."""
    texts: Texts = [json.loads(line) for line in terms_file.read_text("utf-8").splitlines()]
    before = memory()[1]
    started = time.process_time()
    method = METHODS[name](texts, folder)
    built = time.process_time() - started
    own = memory()[1] - before
    asked = [terms for terms in queries if terms]
    method.search(asked[0])
    times = [_seconds(lambda terms=terms: method.search(terms)) for terms in asked]  # type: ignore[misc]
    p50, p99 = np.quantile(times, [0.5, 0.99]) * 1000
    return LexicalFigures(name, float(p50), float(p99), built, _seconds_of_change(method, texts, asked[0]) * 1000, own)


def _seconds_of_change(method: Method, texts: Texts, query: Sequence[str]) -> float:
    """The median over CHANGES, fewer where they take longer than CHANGE_SECONDS."""
    times: list[float] = []
    while len(times) < CHANGES and sum(times) < CHANGE_SECONDS:
        number = len(times)
        times.append(_seconds(partial(_change_and_search, method, number, texts[-1 - number], query)))
    return float(np.median(times))


def _change_and_search(method: Method, number: int, terms: Sequence[str], query: Sequence[str]) -> None:
    method.change(number, terms)
    method.search(query)


def _seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started
