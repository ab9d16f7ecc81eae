"""A table of vectors in PostgreSQL with pgvector: made when it is needed, with a graph (HNSW) when it is large."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from nlp_service.errors import DatabaseUnusable
from nlp_service.storage.database import Database
from nlp_service.storage.postgresql import WRITERS

INDEXES = WRITERS + 1
"""Number of the advisory lock of those who change a table of vectors."""
OLDEST = (0, 8)
"""The first pgvector whose graph is searched on until a filter has let enough through."""
APPROXIMATE_FROM = 10_000
"""Rows from which on a graph is built; fewer are compared one by one, which takes some milliseconds."""
BUILD_MEMORY_KB = 3 * 1024 * 1024
"""Memory that building the graph may take, more if the server is configured so; that of a million vectors is 2.2 GB."""
_UNUSABLE = (
    "pgvector {oldest} 或更新版本不可用 · pgvector {oldest} or newer is not available ({reason}); "
    "请由管理员执行 · let an administrator run: CREATE EXTENSION vector; ALTER EXTENSION vector UPDATE"
)


class VectorTable:
    """Keys and vectors of one encoder; `name` and `graph` are the names for SQL, quoted.

    Raises DatabaseUnusable when pgvector is missing, too old, or may not be created.
    """

    def __init__(self, database: Database, encoder_fingerprint: str, dimension: int) -> None:
        self._database = database
        self._dimension = dimension
        self.unquoted = _name(encoder_fingerprint)
        quote = database.engine.dialect.identifier_preparer.quote
        self.name, self.graph = quote(self.unquoted), quote(f"{self.unquoted}_hnsw")
        self._create()

    def __len__(self) -> int:
        with self._database.read() as session:
            return int(session.execute(text(f"SELECT count(*) FROM {self.name}")).scalar_one())  # noqa: S608

    def build_graph_when_large(self) -> None:
        """Build the graph unless it is there or the table is small; minutes for hundreds of thousands of rows."""
        if len(self) < APPROXIMATE_FROM:
            return
        with self.changing() as connection:
            if not connection.exec_driver_sql(f"SELECT to_regclass('{self.graph}') IS NOT NULL").scalar_one():
                self._build_graph(connection)

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """A transaction that changes the table; one at a time, so that no two wait for each other."""
        with self._locked() as connection:
            register(connection)
            yield connection

    def _build_graph(self, connection: Connection) -> None:
        # Several processes would build it in shared memory, of which containers have little.
        connection.exec_driver_sql("SET LOCAL max_parallel_maintenance_workers = 0")
        connection.exec_driver_sql(
            "SELECT set_config(name, greatest(CAST(setting AS bigint), %s)::text, true)"
            " FROM pg_settings WHERE name = 'maintenance_work_mem'",
            (BUILD_MEMORY_KB,),
        )
        connection.exec_driver_sql(f"CREATE INDEX {self.graph} ON {self.name} USING hnsw (vector vector_ip_ops)")
        connection.exec_driver_sql(f"ANALYZE {self.name} (key)")  # a search asks how many rows there are

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
                    f"CREATE TABLE IF NOT EXISTS {self.name}"
                    f" (key bigint PRIMARY KEY, vector vector({self._dimension}) NOT NULL)"
                )
        except DBAPIError as error:
            raise DatabaseUnusable(_unusable(str(error.orig).partition("\n")[0])) from error

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


def register(connection: Connection) -> None:
    """Let the connection send arrays as vectors."""
    if not connection.info.get("sends vectors", False):
        from pgvector.psycopg import register_vector

        driver: Any = connection.connection.driver_connection
        register_vector(driver)
        connection.info["sends vectors"] = True


def _name(encoder_fingerprint: str) -> str:
    return f"vector_index_{encoder_fingerprint[:40]}"


def _unusable(reason: str) -> str:
    return _UNUSABLE.format(oldest=".".join(map(str, OLDEST)), reason=reason)
