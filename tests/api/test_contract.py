"""Whatever docs/openapi.json allows or forbids, the service answers as that document says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from nlp_service.access.keys import NewKey
from nlp_service.access.scopes import SCOPES
from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from tests.access.keys import SECRET, bearer, make_keys
from tests.api.listening import listening
from tests.conftest import PROJECT

IMPORT = "/v1/knowledge/import"
contract = schemathesis.openapi.from_path(PROJECT / "docs" / "openapi.json")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    return Settings(home=home, environment="production", secret=SECRET)


@pytest.fixture(scope="module")
def key(production: Settings) -> str:
    """One that may do everything, as often as it likes."""
    return make_keys(production, NewKey("契约", SCOPES, 1, requests_per_minute=1_000_000))[0]


@pytest.fixture(scope="module")
def address(production: Settings, key: str, engine: Engine) -> Iterator[str]:
    assert key
    with listening(create_app(production, engine)) as (_, port):
        yield f"http://127.0.0.1:{port}"


@contract.parametrize()
@settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_documented(case: Case[Any], address: str, key: str) -> None:
    excluded = [positive_data_acceptance]  # some rules JSON Schema cannot tell: that a text has a letter or a digit
    if case.path == IMPORT:
        excluded.append(negative_data_rejection)  # bad records are listed, the good ones count
    case.call_and_validate(base_url=address, headers=bearer(key), excluded_checks=[*excluded])
