"""What all tests share: the real bundles, and a database of each test's own.

`make test` builds the bundles first. NLP_TEST_BUNDLES names another folder of bundles.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings

PROJECT = Path(__file__).parent.parent
BUNDLES = Path(os.environ.get("NLP_TEST_BUNDLES", PROJECT / "var" / "bundles"))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The real models, loaded once."""
    loaded = Engine.load(BUNDLES, threads=2)
    yield loaded
    loaded.close()


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


@pytest.fixture
def client(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    """The service with the real models and an empty knowledge base."""
    with TestClient(create_app(settings, engine)) as started:
        yield started
