"""Keys for tests."""

from contextlib import closing

from pydantic import SecretStr

from nlp_service.access.credential import prefix_of
from nlp_service.access.keys import KeyStore, NewKey
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

SECRET = SecretStr("0123456789abcdef0123456789abcdef")


def make_keys(settings: Settings, *new: NewKey) -> list[str]:
    """New keys in the database of the settings."""
    with closing(Database(settings.resolved_database_url)) as database:
        database.migrate()
        store = KeyStore(database)
        return [store.create(one, settings.secret_bytes) for one in new]


def revoke(settings: Settings, key: str) -> None:
    """Revoke a key."""
    with closing(Database(settings.resolved_database_url)) as database:
        KeyStore(database).revoke(visible(key))


def visible(key: str) -> str:
    """The prefix of a key."""
    prefix = prefix_of(key)
    assert prefix is not None
    return prefix


def bearer(key: str) -> dict[str, str]:
    """The header that a request with the key has."""
    return {"Authorization": f"Bearer {key}"}
