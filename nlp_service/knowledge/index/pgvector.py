"""The vectors of one encoder in PostgreSQL with pgvector: one table for all processes."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, select, text

from nlp_service.knowledge.index.pgvector_search import TableSearch
from nlp_service.knowledge.index.pgvector_table import VectorTable, register
from nlp_service.knowledge.index.protocol import Keys, Vectors
from nlp_service.knowledge.keys import KINDS, Kind, Mask, record_of
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleVector, FeedbackVector

CHUNK = 500
MARKER = "pgvector.json"
_TABLES: dict[Kind, type[ArticleVector | FeedbackVector]] = {"article": ArticleVector, "case": FeedbackVector}


class PgVectorIndex:
    """The vectors of one encoder. What one process puts or removes, all find.

    Exact while it is small and where a filter is narrow; else by a graph, which `save` builds once there are enough.
    Raises DatabaseUnusable when pgvector is missing, too old, or may not be created.
    """

    def __init__(self, database: Database, encoder_fingerprint: str, dimension: int) -> None:
        self._database = database
        self._fingerprint = encoder_fingerprint
        self._dimension = dimension
        self._table = VectorTable(database, encoder_fingerprint, dimension)
        self._table.build_graph_when_large()

    def __len__(self) -> int:
        return len(self._table)

    @property
    def keys(self) -> Keys:
        """All keys, in no order."""
        with self._database.read() as session:
            found = session.scalars(text(f"SELECT key FROM {self._table.name}")).all()  # noqa: S608
        return np.fromiter(found, dtype=np.int64, count=len(found))

    def put(self, keys: Collection[int], vectors: Vectors) -> None:
        """Add vectors, shape (keys, dimension); a key that is already there is replaced.

        Of a record whose vector is stored, that one is taken: a process that lags does not undo what another one put.
        So store vectors before they are put.
        """
        if vectors.shape != (len(keys), self._dimension):
            raise ValueError(f"vectors have shape {vectors.shape}, not {(len(keys), self._dimension)}")
        given = dict(zip(keys, np.ascontiguousarray(vectors, dtype=np.float32), strict=True))
        ordered = sorted(given)
        for start in range(0, len(ordered), CHUNK):
            some = ordered[start : start + CHUNK]
            with self._table.changing() as connection:
                current = {key: given[key] for key in some} | self._stored(connection, some)
                connection.exec_driver_sql(
                    f"INSERT INTO {self._table.name} AS old (key, vector)"  # noqa: S608
                    " SELECT * FROM unnest(%(keys)b::bigint[], %(vectors)b::vector[])"
                    " ON CONFLICT (key) DO UPDATE SET vector = excluded.vector WHERE old.vector <> excluded.vector",
                    {"keys": list(current), "vectors": list(current.values())},
                )

    def remove(self, keys: Collection[int]) -> None:
        """Take keys out; unknown ones are ignored."""
        if len(keys):
            with self._table.changing() as connection:
                connection.exec_driver_sql(
                    f"DELETE FROM {self._table.name} WHERE key = ANY(%(keys)b::bigint[])",  # noqa: S608
                    {"keys": list(keys)},
                )

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
        """The `k` nearest (key, cosine), the best first, among `allowed` keys when given."""
        with self._database.read() as session:
            return TableSearch(session.connection(), self._table, vector).nearest(k, allowed)

    def cosines(self, vector: Vectors, keys: Collection[int]) -> dict[int, float]:
        """The cosines of those of the different `keys` that are there, in no order."""
        with self._database.read() as session:
            return TableSearch(session.connection(), self._table, vector).cosines(keys)

    def vectors(self, keys: Collection[int]) -> dict[int, Vectors]:
        """The vectors of those of the different `keys` that are there, in no order."""
        with self._database.read() as session:
            connection = session.connection()
            register(connection)
            statement = f"SELECT key, vector FROM {self._table.name} WHERE key = ANY(%(keys)b::bigint[])"  # noqa: S608
            rows = connection.exec_driver_sql(statement, {"keys": list(keys)})
            return {key: vector.to_numpy().astype(np.float32) for key, vector in rows}

    def save(self, folder: Path) -> None:
        """Write a marker into an existing, empty folder: the table is what is opened again. Build the graph if due."""
        self._table.build_graph_when_large()
        (folder / MARKER).write_text(json.dumps({"table": self._table.unquoted}), "utf-8")

    def _stored(self, connection: Connection, keys: Sequence[int]) -> dict[int, Vectors]:
        found: dict[int, Vectors] = {}
        for kind in KINDS:
            table = _TABLES[kind]
            numbers = {number: key for key in keys for of, number in [record_of(key)] if of == kind}
            rows = connection.execute(
                select(table.record_id, table.vector).where(
                    table.encoder == self._fingerprint, table.record_id.in_(numbers)
                )
            )
            found.update((numbers[number], np.frombuffer(blob, "<f4")) for number, blob in rows)
        return found
