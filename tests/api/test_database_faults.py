"""A database that is busy, read-only, gone or damaged: said so with 503, nothing half-written, no restart needed."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from nlp_service.storage import sqlite
from nlp_service.storage.postgresql import WRITERS
from tests.api.expectations import problem_of
from tests.postgres import PostgresMissing, PostgresServer, running_postgres

ARTICLE = {"title": "导出很慢", "problem": "导出报表超时", "solution": "分批导出"}
QUERY = {"query": "导出超时"}
COMPUTED = {
    "/v1/classify": {"tickets": [{"text": "导出报表超时"}]},
    "/v1/sentiment": {"texts": ["导出报表超时"]},
    "/v1/embeddings": {"input": ["导出报表超时"]},
}
Fault = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a lock."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 50)


@pytest.fixture
def file(settings: Settings) -> Path:
    return settings.var_dir / "nlp.db"


@pytest.fixture
def on_sqlite(hasty: None, client: TestClient) -> TestClient:
    assert hasty is None
    return client


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be stopped."""
    try:
        with running_postgres() as started:
            yield started
    except PostgresMissing as error:
        pytest.skip(f"PostgreSQL cannot run here: {error}")


@pytest.fixture
def on_postgresql(server: PostgresServer, home: Path, engine: Engine) -> Iterator[TestClient]:
    with server.database("faults") as url:
        settings = Settings(home=home, database_url=f"{url}&options=-c%20lock_timeout%3D50ms")
        with TestClient(create_app(settings, engine)) as started:
            yield started


@contextmanager
def _locked_sqlite(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def _moved_away(client: TestClient, file: Path) -> Iterator[None]:
    """A disk that is not mounted: connections have ended, and where the file was is nothing to be opened."""
    _state(client).database.close()
    away = file.with_name("away")
    away.mkdir()
    for part in file.parent.glob("nlp.db*"):
        part.rename(away / part.name)
    file.mkdir()
    yield
    file.rmdir()
    for part in away.iterdir():
        part.rename(file.parent / part.name)


@contextmanager
def _overwritten(client: TestClient, file: Path) -> Iterator[None]:
    _state(client).database.close()
    copy = shutil.copy(file, file.with_name("copy"))
    file.write_bytes(b"\xff" * file.stat().st_size)
    yield
    _state(client).database.close()
    shutil.copy(copy, file)


def _state(client: TestClient) -> Any:
    return client.app.state  # type: ignore[attr-defined]


@contextmanager
def _locked_postgresql(server: PostgresServer) -> Iterator[None]:
    with psycopg.connect(host=str(server.folder), user="postgres", dbname="faults") as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS])
        yield


@contextmanager
def _read_only(server: PostgresServer) -> Iterator[None]:
    def set_to(value: str) -> None:
        with psycopg.connect(host=str(server.folder), user="postgres", dbname="postgres", autocommit=True) as other:
            other.execute(f"ALTER DATABASE faults SET default_transaction_read_only = {value}")
            other.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'faults'")

    set_to("on")
    yield
    set_to("off")


@contextmanager
def _stopped(server: PostgresServer) -> Iterator[None]:
    server.stop()
    yield
    server.start()


def _fault(name: str, request: pytest.FixtureRequest) -> tuple[TestClient, AbstractContextManager[None]]:
    """The service, and the fault to bring about."""
    backend, _, kind = name.partition(": ")
    client: TestClient = request.getfixturevalue(f"on_{backend}")
    if backend == "sqlite":
        file: Path = request.getfixturevalue("file")
        faults: dict[str, Fault] = {
            "locked": lambda: _locked_sqlite(file),
            "gone": lambda: _moved_away(client, file),
            "damaged": lambda: _overwritten(client, file),
        }
    else:
        server: PostgresServer = request.getfixturevalue("server")
        faults = {
            "locked": lambda: _locked_postgresql(server),
            "gone": lambda: _stopped(server),
            "read-only": lambda: _read_only(server),
        }
    return client, faults[kind]()


WORDS = {
    "sqlite: locked": "busy",
    "sqlite: gone": "does not answer",
    "sqlite: damaged": "damaged",
    "postgresql: locked": "busy",
    "postgresql: gone": "does not answer",
    "postgresql: read-only": "read-only",
}


@pytest.mark.parametrize(("name", "words"), WORDS.items(), ids=WORDS.keys())
def test_a_fault_is_named_stores_nothing_and_ends_without_a_restart(
    name: str, words: str, request: pytest.FixtureRequest
) -> None:
    client, fault = _fault(name, request)
    with fault:
        answer = client.post("/v1/knowledge", json=ARTICLE)
        assert words in problem_of(answer, 503)["detail"]
        assert int(answer.headers["Retry-After"]) > 0
        for path, body in COMPUTED.items():
            assert client.post(path, json=body).status_code == 200, path
    assert client.get("/readyz").status_code == 200
    assert client.get("/v1/knowledge").json()["total"] == 0
    created = client.post("/v1/knowledge", json=ARTICLE)
    found = client.post("/v1/search", json=QUERY).json()["hits"]
    assert [hit["id"] for hit in found] == [created.json()["id"]]


@pytest.mark.parametrize("name", ["sqlite: gone", "sqlite: damaged", "postgresql: gone"])
def test_a_service_without_its_database_says_that_it_is_not_ready(name: str, request: pytest.FixtureRequest) -> None:
    client, fault = _fault(name, request)
    with fault:
        problem_of(client.get("/readyz"), 503)
        assert client.get("/livez").status_code == 200
        problem_of(client.get("/v1/knowledge"), 503)


@pytest.mark.parametrize("name", ["sqlite: locked", "postgresql: locked", "postgresql: read-only"])
def test_a_database_that_cannot_be_written_is_read(name: str, request: pytest.FixtureRequest) -> None:
    client, fault = _fault(name, request)
    created = client.post("/v1/knowledge", json=ARTICLE).json()
    found = client.post("/v1/search", json=QUERY).json()["hits"]
    with fault:
        assert client.get(f"/v1/knowledge/{created['id']}").status_code == 200
        assert client.post("/v1/search", json=QUERY).json()["hits"] == found
        assert client.get("/readyz").status_code == 200
