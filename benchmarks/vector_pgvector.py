"""pgvector as a way to search vectors, in an empty database that ``NLP_BENCHMARK_DATABASE_URL`` names.

Disk and memory are the server's: the figures show neither.
"""

import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nlp_service.knowledge.index import pgvector_search
from nlp_service.knowledge.index.pgvector import PgVectorIndex
from nlp_service.knowledge.index.protocol import Vectors
from nlp_service.storage.database import Database

URL_VARIABLE = "NLP_BENCHMARK_DATABASE_URL"
ENCODER_FILE = "encoder"
BLOCK = 20_000
OWN = pgvector_search.CANDIDATES, pgvector_search.CANDIDATES_PER_ROOT, pgvector_search.CANDIDATES_PER_ROW
"""What the service uses."""


@dataclass(frozen=True)
class PgVector:
    """What the service uses on PostgreSQL; `settings` are candidates of a search, 0 for what the service does."""

    url: str
    settings: Sequence[int] = (0, 100, 200, 400, 800)

    def build(self, vectors: Vectors, folder: Path) -> None:
        encoder = uuid.uuid4().hex
        (folder / ENCODER_FILE).write_text(f"{encoder} {vectors.shape[1]}", "ascii")
        with closing(Database(self.url)) as database:
            database.migrate()
            index = PgVectorIndex(database, encoder, vectors.shape[1])
            for start in range(0, len(vectors), BLOCK):
                block = vectors[start : start + BLOCK]
                index.put(range(start, start + len(block)), block)
            index.save(folder)

    def open(self, folder: Path, *, for_changes: bool) -> "OpenedPgVector":  # noqa: ARG002 - it always takes changes
        encoder, dimension = (folder / ENCODER_FILE).read_text("ascii").split()
        return OpenedPgVector(PgVectorIndex(Database(self.url), encoder, int(dimension)))


class OpenedPgVector:
    """A connection to the table."""

    def __init__(self, index: PgVectorIndex) -> None:
        self._index = index

    def search(self, vector: Vectors, k: int, setting: int) -> Sequence[int]:
        least, per_root, per_row = (setting, 0.0, 0) if setting else OWN
        pgvector_search.CANDIDATES = least
        pgvector_search.CANDIDATES_PER_ROOT = per_root
        pgvector_search.CANDIDATES_PER_ROW = per_row
        return [key for key, _ in self._index.search(vector, k)]

    def add(self, rows: Sequence[int], vectors: Vectors) -> None:
        self._index.put(rows, vectors)

    def remove(self, rows: Sequence[int]) -> None:
        self._index.remove(rows)
