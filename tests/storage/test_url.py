"""URLs of databases: those that are supported, and no secret in a refusal."""

import pytest
from pydantic import ValidationError

from nlp_service.settings import Settings
from nlp_service.storage.url import parse_url

SECRET = "s3cret-pass"  # noqa: S105 - of no account


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////data/nlp.db", "sqlite"),
        ("postgresql://nlp@db/nlp", "postgresql+psycopg"),
        ("postgresql+psycopg://nlp@db:5432/nlp", "postgresql+psycopg"),
    ],
)
def test_a_supported_url_gets_its_driver(url: str, driver: str) -> None:
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize("scheme", ["mysql", "postgres", "postgresql+asyncpg"])
def test_another_database_or_driver_is_refused(scheme: str) -> None:
    with pytest.raises(ValueError, match="supported are sqlite:///… and postgresql"):
        parse_url(f"{scheme}://nlp:{SECRET}@db/nlp")


@pytest.mark.parametrize(
    "url",
    [
        f"nlp:{SECRET}",
        f"postgresql+psycopg://nlp@db:{SECRET}/nlp",
        f"postgresql+psycopg://nlp:p@{SECRET}@db/nlp",
    ],
    ids=["no scheme", "no port", "an @ in the password"],
)
def test_what_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="not a database URL") as refused:
        parse_url(url)
    assert SECRET not in str(refused.value)


def test_settings_take_postgresql() -> None:
    url = "postgresql+psycopg://nlp@db/nlp"
    assert Settings(database_url=url).resolved_database_url == url


def test_refused_settings_do_not_show_the_password() -> None:
    with pytest.raises(ValidationError, match="database_url") as refused:
        Settings(database_url=f"mysql://nlp:{SECRET}@db/nlp")
    assert SECRET not in str(refused.value)


def test_settings_do_not_show_the_password() -> None:
    assert SECRET not in repr(Settings(database_url=f"postgresql://nlp:{SECRET}@db/nlp"))
