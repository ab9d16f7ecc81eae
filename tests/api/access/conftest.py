"""A service in production, with a key of each scope and some others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.access.keys import NewKey
from nlp_service.access.scopes import SCOPES
from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.access.keys import SECRET, make_keys, revoke

ALL_BUT_ADMIN = [scope for scope in SCOPES if scope != "admin"]
OTHERS = {
    "slow": NewKey("慢", ["models"], 1, requests_per_minute=2),
    "revoked": NewKey("旧", SCOPES, 1),
    "writer": NewKey("李工", ["search", "knowledge:write"], 1),
    "reviewer": NewKey("王编辑", ["search", "knowledge:write", "knowledge:review"], 1),
    "same person": NewKey("李工", ["knowledge:review"], 1),
    "portal": NewKey("服务台", ALL_BUT_ADMIN, 1, for_others=True),
}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a folder of the module's own."""
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    return Settings(home=home, environment="production", secret=SECRET)


@pytest.fixture(scope="module")
def keys(production: Settings) -> dict[str, str]:
    """A key of each scope alone, under the name of the scope, and the others."""
    wanted = {scope: NewKey(scope.replace(":", " "), [scope], 1) for scope in SCOPES} | OTHERS
    made = dict(zip(wanted, make_keys(production, *wanted.values()), strict=True))
    revoke(production, made["revoked"])
    return made


@pytest.fixture(scope="module")
def guarded(production: Settings, keys: dict[str, str], engine: Engine) -> Iterator[TestClient]:
    """The service in production; keys must be there before it starts."""
    assert keys
    with TestClient(create_app(production, engine)) as started:
        yield started
