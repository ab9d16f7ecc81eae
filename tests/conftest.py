"""What all tests share: the real bundles, and a database of each test's own, SQLite and PostgreSQL in turn.

`make test` builds the bundles first. NLP_TEST_BUNDLES names another folder of bundles; other settings of the
environment are left out, or tests would write into the database that NLP_DATABASE_URL names.
"""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from tests.postgres import PostgresMissing, PostgresServer, running_postgres

PROJECT = Path(__file__).parent.parent
BUNDLES = Path(os.environ.get("NLP_TEST_BUNDLES", PROJECT / "var" / "bundles"))
MIGRATED = "migrated"

for name in [name for name in os.environ if name.startswith("NLP_") and not name.startswith("NLP_TEST_")]:
    del os.environ[name]


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of garbage collections: millions of objects, which each would look through."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _settings_are_left_as_they_were() -> Iterator[None]:
    """What one test leaves in the environment, services that later tests start would read."""
    before = _settings_of_the_environment()
    yield
    assert _settings_of_the_environment() == before


def _settings_of_the_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("NLP_")}


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The real models, loaded once."""
    loaded = Engine.load(BUNDLES, threads=2)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny sentence-transformers cross-encoder; read-only for tests."""
    from tests.crossencoders import save_cross_encoder

    return save_cross_encoder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def reranking_bundles(tmp_path_factory: pytest.TempPathFactory, cross_encoder: Path) -> Path:
    """Bundles in which that cross-encoder serves as the reranker, calibrated; read-only for tests."""
    from tests.crossencoders import install_among_few
    from tests.releases import copy_bundles

    bundles = copy_bundles(tmp_path_factory.mktemp("reranking"))
    install_among_few(cross_encoder, bundles)
    return bundles


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fresh folder with the real bundles, models and data, and no database yet."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "bundles").symlink_to(BUNDLES)
    for name in ("models", "data"):
        (tmp_path / name).symlink_to(PROJECT / name)
    return tmp_path


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings of the fresh folder."""
    return Settings(home=home)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the tables of this version, to copy: making one takes much longer."""
    file: Path = tmp_path_factory.mktemp(MIGRATED) / "nlp.db"
    with opened(f"sqlite:///{file}") as template:
        template.migrate()
    return file


@pytest.fixture
def client(settings: Settings, engine: Engine, migrated: Path) -> Iterator[TestClient]:
    """The service with the real models and an empty knowledge base."""
    shutil.copy(migrated, settings.var_dir)
    with TestClient(create_app(settings, engine)) as started:
        yield started


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[TestClient]:
    """The service with the real models and a knowledge base of the module's own; tests that use it do not write."""
    home = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    with TestClient(create_app(Settings(home=home), engine)) as started:
        yield started


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """PostgreSQL, started when the first test needs it, with a migrated database to copy."""
    try:
        with running_postgres() as server, server.database(MIGRATED) as url:
            with opened(url) as template:
                template.migrate()
            yield server
    except PostgresMissing as error:
        pytest.skip(f"PostgreSQL cannot run here: {error}")


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on."""
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without tables."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'db' / 'nlp.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.database("without_tables") as url:
            yield url


@pytest.fixture
def database(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with the tables of this version."""
    if backend == "sqlite":
        (tmp_path / "db").mkdir()
        file = shutil.copy(request.getfixturevalue("migrated"), tmp_path / "db")
        with opened(f"sqlite:///{file}") as created:
            yield created
    else:
        yield request.getfixturevalue("postgres_database")


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The URL of a PostgreSQL database with the tables of this version."""
    return postgres.emptied("test", template=MIGRATED)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """A PostgreSQL database with the tables of this version, for what concerns it alone."""
    with opened(postgres_url) as created:
        yield created


@pytest.fixture
def files(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], list[Path]]:
    """Gives the files that hold the database by then."""
    if backend == "sqlite":
        return lambda: list((tmp_path / "db").iterdir())
    server: PostgresServer = request.getfixturevalue("postgres")
    return lambda: server.files("test")


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database, closed afterwards."""
    database = Database(url)
    try:
        yield database
    finally:
        database.close()
