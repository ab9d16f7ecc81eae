"""A service that the tests of a module share."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[TestClient]:
    """The service with the real models and a knowledge base of the module's own; tests that use it do not write."""
    home = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    with TestClient(create_app(Settings(home=home), engine)) as started:
        yield started
