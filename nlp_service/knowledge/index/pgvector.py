"""The nearest vectors, found by PostgreSQL with pgvector: one table for all processes."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from nlp_service.errors import DatabaseUnusable
from nlp_service.knowledge.index.protocol import Keys, Vectors
from nlp_service.knowledge.keys import KINDS, Kind, Mask, record_of
from nlp_service.storage.database import Database
from nlp_service.storage.postgresql import WRITERS
from nlp_service.storage.tables import ArticleVector, FeedbackVector

INDEXES = WRITERS + 1
"""Number of the advisory lock of those who change a table of vectors."""
OLDEST = (0, 8)
"""The first pgvector whose graph is searched on until a filter has let enough through."""
CHUNK = 500
APPROXIMATE_FROM = 10_000
"""Rows from which on a graph (HNSW) is built; fewer are compared one by one, which takes some milliseconds."""
NARROWNESS = 1000
"""A filter that allows n of N keys is searched by these keys, exactly, if n² ≤ NARROWNESS · N.

That takes n comparisons; the graph takes about 100 · N / n for the best 100, each five to ten times as dear (measured).
"""
EF_SEARCH = 200
"""Candidates that a search in the graph keeps; see docs/decisions/0013."""
EF_SEARCH_LIMIT = 1000
BUILD_MEMORY_KB = 1024 * 1024
"""Memory that building the graph may take, more if the server is configured so; that of half a million vectors."""
MARKER = "pgvector.json"
_TABLES: dict[Kind, type[ArticleVector | FeedbackVector]] = {"article": ArticleVector, "case": FeedbackVector}
_UNUSABLE = (
    "pgvector {oldest} 或更新版本不可用 · pgvector {oldest} or newer is not available ({reason}); "
    "请由管理员执行 · let an administrator run: CREATE EXTENSION vector; ALTER EXTENSION vector UPDATE"
)


class PgVectorIndex:
    """The vectors of one encoder. What one process puts or removes, all find.

    Exact while it is small and where a filter is narrow; else by a graph, which `save` builds once there are enough.
    Raises DatabaseUnusable when pgvector is missing, too old, or may not be created.
    """

    def __init__(self, database: Database, encoder_fingerprint: str, dimension: int) -> None:
        self._database = database
        self._fingerprint = encoder_fingerprint
        self._name = _name(encoder_fingerprint)
        quote = database.engine.dialect.identifier_preparer.quote
        self._table, self._graph = quote(self._name), quote(f"{self._name}_hnsw")
        self._dimension = dimension
        self._create()
        self._build_graph_when_large()

    def __len__(self) -> int:
        with self._database.read() as session:
            return int(session.execute(text(f"SELECT count(*) FROM {self._table}")).scalar_one())  # noqa: S608

    @property
    def keys(self) -> Keys:
        """All keys, in no order."""
        with self._database.read() as session:
            found = session.scalars(text(f"SELECT key FROM {self._table}")).all()  # noqa: S608
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
            with self._changing() as connection:
                current = {key: given[key] for key in some} | self._stored(connection, some)
                connection.exec_driver_sql(
                    f"INSERT INTO {self._table} AS old (key, vector)"  # noqa: S608
                    " SELECT * FROM unnest(%(keys)b::bigint[], %(vectors)b::vector[])"
                    " ON CONFLICT (key) DO UPDATE SET vector = excluded.vector WHERE old.vector <> excluded.vector",
                    {"keys": list(current), "vectors": list(current.values())},
                )

    def remove(self, keys: Collection[int]) -> None:
        """Take keys out; unknown ones are ignored."""
        if len(keys):
            with self._changing() as connection:
                connection.exec_driver_sql(
                    f"DELETE FROM {self._table} WHERE key = ANY(%(keys)b::bigint[])",  # noqa: S608
                    {"keys": list(keys)},
                )

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
        """The `k` nearest (key, cosine), the best first, among `allowed` keys when given."""
        few = False
        condition = "true"
        values: dict[str, object] = {"vector": np.ascontiguousarray(vector, dtype=np.float32).reshape(-1)}
        if allowed is not None:
            count = int(np.count_nonzero(allowed))
            k, few = min(k, count), count**2 <= NARROWNESS * len(allowed)
            condition, values["allowed"] = _among(allowed, few=few)
        if k == 0:
            return []
        with self._database.read() as session:
            connection = session.connection()
            if self._prepare(connection, k) and not few:
                found = self._nearest(connection, condition, k, values)
                if len(found) == k:
                    return found
            return self._exactly(connection, condition, k, values)

    def cosines(self, vector: Vectors, keys: Collection[int]) -> dict[int, float]:
        """The cosines of those of the different `keys` that are there, in no order."""
        values = {"vector": np.ascontiguousarray(vector, dtype=np.float32).reshape(-1), "keys": list(keys)}
        with self._database.read() as session:
            connection = session.connection()
            _register(connection)
            return dict(
                _ranking(
                    connection,
                    f"SELECT key, -(vector <#> %(vector)b) FROM {self._table}"  # noqa: S608
                    " WHERE key = ANY(%(keys)b::bigint[])",
                    values,
                )
            )

    def save(self, folder: Path) -> None:
        """Write a marker into an existing, empty folder: the table is what is opened again. Build the graph if due."""
        self._build_graph_when_large()
        (folder / MARKER).write_text(json.dumps({"table": self._name}), "utf-8")

    def _nearest(
        self, connection: Connection, condition: str, k: int, values: Mapping[str, object]
    ) -> list[tuple[int, float]]:
        """By the graph, which may miss some, so that fewer than `k` are found."""
        statement = (
            f"SELECT key, -(vector <#> %(vector)b) FROM {self._table} WHERE {condition}"  # noqa: S608
            f" ORDER BY vector <#> %(vector)b LIMIT {k}"
        )
        return _ranking(connection, statement, values)

    def _exactly(
        self, connection: Connection, condition: str, k: int, values: Mapping[str, object]
    ) -> list[tuple[int, float]]:
        """By comparison with every vector that fulfils the condition."""
        statement = (
            f"WITH compared AS MATERIALIZED (SELECT key, -(vector <#> %(vector)b) AS cosine FROM {self._table}"  # noqa: S608
            f" WHERE {condition}) SELECT key, cosine FROM compared ORDER BY cosine DESC LIMIT {k}"
        )
        return _ranking(connection, statement, values)

    def _prepare(self, connection: Connection, k: int) -> bool:
        """Settings of the transaction that searches; whether there is a graph, which is then always used."""
        _register(connection)
        settings = {
            "hnsw.ef_search": str(min(max(EF_SEARCH, k), EF_SEARCH_LIMIT)),
            "hnsw.iterative_scan": "strict_order",
            "enable_sort": "off",
            "plan_cache_mode": "force_custom_plan",
            "jit": "off",
        }
        calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        graph = connection.exec_driver_sql(f"SELECT to_regclass('{self._graph}') IS NOT NULL, {calls}")
        return bool(graph.one()[0])

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

    def _create(self) -> None:
        try:
            with self._locked() as connection:
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
                version = connection.exec_driver_sql(
                    "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
                ).scalar_one()
                if tuple(map(int, str(version).split(".")[:2])) < OLDEST:
                    raise DatabaseUnusable(_unusable(f"pgvector {version}"))
                connection.exec_driver_sql(
                    f"CREATE TABLE IF NOT EXISTS {self._table}"
                    f" (key bigint PRIMARY KEY, vector vector({self._dimension}) NOT NULL)"
                )
        except DBAPIError as error:
            raise DatabaseUnusable(_unusable(str(error.orig).partition("\n")[0])) from error

    def _build_graph_when_large(self) -> None:
        if len(self) < APPROXIMATE_FROM:
            return
        with self._changing() as connection:
            # Several processes would build it in shared memory, of which containers have little.
            connection.exec_driver_sql("SET LOCAL max_parallel_maintenance_workers = 0")
            connection.exec_driver_sql(
                "SELECT set_config(name, greatest(CAST(setting AS bigint), %s)::text, true)"
                " FROM pg_settings WHERE name = 'maintenance_work_mem'",
                (BUILD_MEMORY_KB,),
            )
            connection.exec_driver_sql(
                f"CREATE INDEX IF NOT EXISTS {self._graph} ON {self._table} USING hnsw (vector vector_ip_ops)"
            )

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that changes the table; one at a time, so that no two wait for each other."""
        with self._locked() as connection:
            _register(connection)
            yield connection

    @contextmanager
    def _locked(self) -> Iterator[Connection]:
        with self._database.engine.begin() as connection:
            # Another process may be building the graph, which takes as long as it takes.
            connection.exec_driver_sql("SELECT set_config('statement_timeout', '0', true)")
            connection.exec_driver_sql("SELECT set_config('lock_timeout', '0', true)")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({INDEXES})")
            yield connection


def drop_table(database: Database, encoder_fingerprint: str) -> None:
    """Delete the vectors of an encoder that nobody uses; nothing happens where there is no table."""
    if database.engine.dialect.name == "postgresql":
        quote = database.engine.dialect.identifier_preparer.quote
        with database.write() as session:
            session.execute(text(f"DROP TABLE IF EXISTS {quote(_name(encoder_fingerprint))}"))


def _name(encoder_fingerprint: str) -> str:
    return f"vector_index_{encoder_fingerprint[:40]}"


def _unusable(reason: str) -> str:
    return _UNUSABLE.format(oldest=".".join(map(str, OLDEST)), reason=reason)


def _register(connection: Connection) -> None:
    """Let the connection send arrays as vectors."""
    if not connection.info.get("sends vectors", False):
        from pgvector.psycopg import register_vector

        driver: Any = connection.connection.driver_connection
        register_vector(driver)
        connection.info["sends vectors"] = True


def _among(allowed: Mask, *, few: bool) -> tuple[str, object]:
    """The condition that a key is allowed, and the value of its parameter: keys if they are few, else the mask."""
    if few:
        return "key = ANY(%(allowed)b::bigint[])", np.flatnonzero(allowed).tolist()
    # PostgreSQL counts the bits of a byte from the lowest one.
    condition = f"CASE WHEN key < {len(allowed)} THEN get_bit(%(allowed)b::bytea, key) = 1 ELSE false END"
    return condition, np.packbits(allowed, bitorder="little").tobytes()


def _ranking(connection: Connection, statement: str, values: Mapping[str, object]) -> list[tuple[int, float]]:
    return [(int(key), float(cosine)) for key, cosine in connection.exec_driver_sql(statement, values)]
