"""Keys as text."""

import pytest

from nlp_service.access.credential import digest_of, new_credential, prefix_of

SECRET = b"0123456789abcdef0123456789abcdef"


def test_the_prefix_is_the_visible_part_of_a_key() -> None:
    prefix, credential = new_credential()
    assert credential.startswith(f"{prefix}_")
    assert prefix_of(credential) == prefix


def test_no_two_keys_are_equal() -> None:
    assert len({credential for _, credential in (new_credential() for _ in range(1000))}) == 1000


def test_the_secret_part_has_256_bits() -> None:
    prefix, credential = new_credential()
    assert len(credential.removeprefix(f"{prefix}_")) * 6 >= 256


@pytest.mark.parametrize(
    "text", ["", "nlp_", "nlp_0123456789ab", "sk-123", "nlp_0123456789ab_" + "é" * 43, "x" * 10_000]
)
def test_what_cannot_be_a_key_has_no_prefix(text: str) -> None:
    assert prefix_of(text) is None


def test_another_secret_gives_another_digest() -> None:
    _, credential = new_credential()
    assert digest_of(credential, SECRET) != digest_of(credential, SECRET[::-1])


def test_a_digest_does_not_hold_the_key() -> None:
    _, credential = new_credential()
    assert credential[-43:] not in digest_of(credential, SECRET)
