"""Keys in the database, and as a process knows them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from nlp_service.access.credential import prefix_of
from nlp_service.access.keyring import LIFE_SECONDS, KeyRing
from nlp_service.access.keys import KeyStore, NewKey
from nlp_service.errors import Conflict, NotFound
from nlp_service.storage.access_tables import AuditEvent
from nlp_service.storage.database import Database

SECRET = b"0123456789abcdef0123456789abcdef"
NEW = NewKey("李工", ["classify", "search"], days=10)


class Watch:
    """Both clocks: the time of day, which may be set, and seconds that only go forward."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.set_by = timedelta()

    def now(self) -> datetime:
        return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self.seconds) + self.set_by

    def timer(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def store(database: Database, watch: Watch) -> KeyStore:
    return KeyStore(database, watch.now)


@pytest.fixture
def ring(store: KeyStore, watch: Watch) -> KeyRing:
    return KeyRing(store, SECRET, watch.now, watch.timer)


def _prefix(credential: str) -> str:
    prefix = prefix_of(credential)
    assert prefix is not None
    return prefix


def _found(ring: KeyRing, credential: str) -> bool:
    """Whether the key is taken, as a request asks: stale keys are read first."""
    if ring.stale:
        ring.refresh()
    return ring.find(credential) is not None


def test_a_new_key_is_found_with_what_it_was_made_for(store: KeyStore, ring: KeyRing) -> None:
    credential = store.create(NEW, SECRET)
    ring.refresh()
    key = ring.find(credential)
    assert key is not None
    assert (key.name, key.scopes, key.requests_per_minute) == ("李工", ["classify", "search"], None)


def test_the_database_does_not_hold_the_key(store: KeyStore, files: Callable[[], list[Path]]) -> None:
    credential = store.create(NEW, SECRET)
    content = b"".join(file.read_bytes() for file in files())
    assert _prefix(credential).encode() in content
    assert credential[-43:].encode() not in content


@pytest.mark.parametrize("wrong", ["last character", "unknown prefix", "no key at all", "prefix alone"])
def test_a_wrong_key_is_not_found(store: KeyStore, ring: KeyRing, wrong: str) -> None:
    credential = store.create(NEW, SECRET)
    ring.refresh()
    other = {
        "last character": credential[:-1] + ("A" if credential[-1] != "A" else "B"),
        "unknown prefix": "nlp_000000000000" + credential[16:],
        "no key at all": "password",
        "prefix alone": _prefix(credential),
    }
    assert ring.find(other[wrong]) is None


def test_with_another_secret_no_key_is_found(store: KeyStore, watch: Watch) -> None:
    credential = store.create(NEW, SECRET)
    assert not _found(KeyRing(store, SECRET[::-1], watch.now, watch.timer), credential)


def test_an_expired_key_is_refused_at_that_moment(store: KeyStore, ring: KeyRing, watch: Watch) -> None:
    credential = store.create(NEW, SECRET)
    watch.seconds = 10 * 24 * 3600 - 1
    assert _found(ring, credential)
    watch.seconds += 1
    assert not _found(ring, credential)


def test_a_revoked_key_is_refused_within_a_second(store: KeyStore, ring: KeyRing, watch: Watch) -> None:
    credential = store.create(NEW, SECRET)
    assert _found(ring, credential)
    store.revoke(_prefix(credential))
    watch.seconds += LIFE_SECONDS
    assert LIFE_SECONDS < 1
    assert not _found(ring, credential)


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=9)], ids=["back", "forth"])
def test_a_revoked_key_is_refused_within_a_second_though_the_clock_jumps(
    store: KeyStore, ring: KeyRing, watch: Watch, jump: timedelta
) -> None:
    credential = store.create(NEW, SECRET)
    assert _found(ring, credential)
    watch.set_by = jump
    assert _found(ring, credential)
    store.revoke(_prefix(credential))
    watch.seconds += LIFE_SECONDS
    assert not _found(ring, credential)


def test_a_clock_that_is_set_forth_and_right_again_costs_a_key_no_longer_than_that(
    store: KeyStore, ring: KeyRing, watch: Watch
) -> None:
    credential = store.create(NEW, SECRET)
    watch.set_by = timedelta(days=10)
    assert not _found(ring, credential)
    watch.set_by = timedelta()
    watch.seconds += LIFE_SECONDS
    assert _found(ring, credential)


def test_a_new_key_is_taken_within_a_second(store: KeyStore, ring: KeyRing, watch: Watch) -> None:
    ring.refresh()
    credential = store.create(NEW, SECRET)
    watch.seconds += LIFE_SECONDS
    assert _found(ring, credential)


def test_meanwhile_the_database_is_not_asked(ring: KeyRing, watch: Watch) -> None:
    ring.refresh()
    watch.seconds += LIFE_SECONDS / 2
    assert not ring.stale


def test_revoking_again_keeps_the_first_moment(store: KeyStore, watch: Watch) -> None:
    prefix = _prefix(store.create(NEW, SECRET))
    store.revoke(prefix)
    watch.seconds += 100
    store.revoke(prefix)
    (key,) = store.all()
    assert key.revoked_at == datetime(2026, 11, 1, tzinfo=UTC)


def test_a_rotated_key_is_another_with_the_same_rights(store: KeyStore, ring: KeyRing, watch: Watch) -> None:
    old = store.create(NewKey("李工", ["search"], 10, requests_per_minute=7, for_others=True), SECRET)
    watch.seconds = 24 * 3600
    new = store.rotate(_prefix(old), SECRET, overlap=timedelta(hours=1))
    ring.refresh()
    key = ring.find(new)
    assert new != old
    assert key is not None
    assert (key.name, key.scopes, key.requests_per_minute, key.for_others) == ("李工", ["search"], 7, True)
    assert key.expires_at == watch.now() + timedelta(days=10)


def test_the_old_key_works_during_the_overlap_alone(store: KeyStore, ring: KeyRing, watch: Watch) -> None:
    old = store.create(NEW, SECRET)
    store.rotate(_prefix(old), SECRET, overlap=timedelta(hours=1))
    watch.seconds = 3599
    assert _found(ring, old)
    watch.seconds = 3600
    assert not _found(ring, old)


def test_a_rotation_never_makes_the_old_key_last_longer(store: KeyStore, ring: KeyRing, watch: Watch) -> None:
    old = store.create(NewKey("李工", ["search"], days=1), SECRET)
    store.rotate(_prefix(old), SECRET, overlap=timedelta(days=30))
    watch.seconds = 24 * 3600
    assert not _found(ring, old)


def test_a_revoked_key_cannot_be_rotated(store: KeyStore) -> None:
    prefix = _prefix(store.create(NEW, SECRET))
    store.revoke(prefix)
    with pytest.raises(Conflict, match=prefix):
        store.rotate(prefix, SECRET, overlap=timedelta(0))


def test_an_unknown_key_cannot_be_revoked(store: KeyStore) -> None:
    with pytest.raises(NotFound, match="nlp_000000000000"):
        store.revoke("nlp_000000000000")


def test_a_revoked_or_expired_key_is_not_usable(store: KeyStore, watch: Watch) -> None:
    found = [len(store.usable())]
    prefix = _prefix(store.create(NEW, SECRET))
    found.append(len(store.usable()))
    store.revoke(prefix)
    found.append(len(store.usable()))
    store.create(NEW, SECRET)
    watch.seconds = 11 * 24 * 3600
    assert [*found, len(store.usable())] == [0, 1, 0, 0]


def test_every_change_of_keys_is_recorded(store: KeyStore, database: Database) -> None:
    first = _prefix(store.create(NEW, SECRET))
    second = _prefix(store.rotate(first, SECRET, overlap=timedelta(0)))
    store.revoke(second)
    with database.read() as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [(event.route, event.resource) for event in events] == [
        ("keys create", first),
        ("keys rotate", first),
        ("keys revoke", second),
    ]
