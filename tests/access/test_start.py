"""When the service refuses to start, and what it allows from elsewhere."""

from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from nlp_service.access.gate import check_access, open_gate
from nlp_service.access.keys import NewKey
from nlp_service.access.loopback import is_loopback
from nlp_service.errors import AccessNotConfigured
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from tests.access.keys import SECRET, make_keys, revoke

KEY = NewKey("李工", ["search"], 1)


def _check(settings: Settings) -> None:
    with closing(Database(settings.resolved_database_url)) as database:
        database.migrate()
        check_access(settings, database)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_loopback_in_development_nothing_is_needed(tmp_path: Path, host: str) -> None:
    _check(Settings(home=tmp_path, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "nlp.example", ""])  # noqa: S104
def test_on_another_address_a_secret_is_needed(tmp_path: Path, host: str) -> None:
    with pytest.raises(AccessNotConfigured, match="NLP_SECRET"):
        _check(Settings(home=tmp_path, host=host))


def test_in_production_a_secret_is_needed_on_loopback_too(tmp_path: Path) -> None:
    with pytest.raises(AccessNotConfigured, match="NLP_SECRET"):
        _check(Settings(home=tmp_path, environment="production"))


def test_with_a_secret_a_key_is_needed(tmp_path: Path) -> None:
    with pytest.raises(AccessNotConfigured, match="nlp-service keys create"):
        _check(Settings(home=tmp_path, environment="production", secret=SECRET))


def test_a_revoked_key_is_none(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, environment="production", secret=SECRET)
    (key,) = make_keys(settings, KEY)
    revoke(settings, key)
    with pytest.raises(AccessNotConfigured, match="nlp-service keys create"):
        _check(settings)


def test_with_both_it_starts_and_asks_for_keys(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, host="0.0.0.0", secret=SECRET)  # noqa: S104
    make_keys(settings, KEY)
    with closing(Database(settings.resolved_database_url)) as database:
        gate = open_gate(settings, database)
    gate.rates.close()
    assert gate.required


def test_a_short_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="32") as refused:
        Settings(home=tmp_path, secret=SecretStr("hunter2"))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("origin", ["*", "https://a.example/path", "a.example", "ftp://a.example", "null"])
def test_what_is_no_origin_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValidationError, match="https://host"):
        Settings(home=tmp_path, cors_origins=(origin,))


@pytest.mark.parametrize("name", ["127.0.0.1.example", "localhost.example", "8.8.8.8", "::ffff:8.8.8.8"])
def test_what_only_looks_like_an_own_address_is_none(name: str) -> None:
    assert not is_loopback(name)
