"""Connections and schema versions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, event, inspect
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from nlp_service.errors import DatabaseOutdated, DatabaseUnusable
from nlp_service.storage.postgresql import READING, open_postgresql
from nlp_service.storage.sqlite import open_sqlite
from nlp_service.storage.url import parse_url

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = max(file.stem for file in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]
"""The last migration."""
VERSIONS = "alembic_version"


class Database:
    """An engine with the sessions made from it; SQLite or PostgreSQL, by its URL.

    Raises ValueError for another URL, and DatabaseUnusable when the driver is not installed.
    """

    def __init__(self, url: str) -> None:
        parsed = parse_url(url)
        postgresql = parsed.get_backend_name() == "postgresql"
        self.engine: Engine = open_postgresql(parsed) if postgresql else open_sqlite(parsed)
        reading = READING if postgresql else {}
        self._readers = self.engine.execution_options(**reading)
        self._reading = sessionmaker(self._readers, expire_on_commit=False)
        self._writing = sessionmaker(self.engine.execution_options(writes=True), expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; sees one moment of the database."""
        with self._reading() as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """As `read`, for a statement or two of plain columns: a session would take longer than they do."""
        with self._readers.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together at the end, or not at all; one at a time in all processes."""
        with self._writing.begin() as session:
            yield session

    def on_commit(self, *, before: Callable[[Session], None], after: Callable[[Session], None]) -> None:
        """Call both around the commit of every writing session; what `before` adds is committed with the rest."""
        event.listen(self._writing, "before_commit", before)
        event.listen(self._writing, "after_commit", after)

    def migrate(self) -> None:
        """Bring the schema to this version's; of several processes that start at once, one does it.

        Raises DatabaseOutdated when a newer version made the database, and DatabaseUnusable when it does not answer.
        """
        with self._connect() as connection:
            if revision_of(connection) != HEAD:
                _upgrade(connection)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _connect(self) -> Connection:
        try:
            return self.engine.execution_options(writes=True, migrates=True).connect()
        except OperationalError as error:
            url = self.engine.url.render_as_string(hide_password=True)
            raise DatabaseUnusable(f"无法打开数据库 · cannot open the database {url}: {error.orig}") from error


def revision_of(connection: Connection) -> str | None:
    """The last migration that the database has seen, None when it has seen none."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    return connection.exec_driver_sql(f"SELECT version_num FROM {VERSIONS}").scalar()  # noqa: S608 - no input


def _upgrade(connection: Connection) -> None:
    from alembic import command  # large, and seldom needed
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseOutdated(f"数据库由更新的版本建立 · made by a newer version: {error}") from error
    connection.commit()
