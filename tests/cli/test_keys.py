"""nlp-service keys, nlp-service audit."""

import pytest
from typer.testing import CliRunner, Result

from nlp_service.access.credential import prefix_of
from nlp_service.cli.main import app
from nlp_service.errors import AccessNotConfigured, InvalidText, NotFound
from tests.access.keys import SECRET

SEARCH = ("--scope", "search")


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in the environment."""
    monkeypatch.setenv("NLP_SECRET", SECRET.get_secret_value())


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def _create(*arguments: str) -> str:
    """The prefix of a new key."""
    prefix = prefix_of(_run("keys", "create", *arguments).stdout.strip())
    assert prefix is not None
    return prefix


def _row(command: str, text: str) -> str:
    (row,) = (line for line in _run(command, "list").stdout.splitlines() if text in line)
    return row


@pytest.mark.usefixtures("secret")
def test_the_key_alone_is_printed_to_standard_output() -> None:
    assert prefix_of(_run("keys", "create", "李工", *SEARCH).stdout.rstrip("\n")) is not None


@pytest.mark.usefixtures("secret")
def test_a_key_is_listed_with_its_rights_and_without_itself() -> None:
    key = _run("keys", "create", "李工", *SEARCH, "--scope", "models", "--requests-per-minute", "7").stdout.strip()
    row = _row("keys", "李工")
    assert ("models, search" in row, " 7 " in row, "valid" in row, key in row) == (True, True, True, False)


@pytest.mark.usefixtures("secret")
def test_a_rotated_key_is_listed_beside_the_old_one() -> None:
    old = _create("李工", *SEARCH)
    new = prefix_of(_run("keys", "rotate", old, "--overlap-hours", "0").stdout.strip())
    assert ("expired" in _row("keys", old), "valid" in _row("keys", str(new))) == (True, True)


@pytest.mark.usefixtures("secret")
def test_a_revoked_key_is_listed_as_revoked() -> None:
    prefix = _create("李工", *SEARCH)
    _run("keys", "revoke", prefix)
    assert "revoked" in _row("keys", prefix)


@pytest.mark.usefixtures("secret")
def test_changes_of_keys_are_in_the_record() -> None:
    prefix = _create("李工", *SEARCH)
    assert "CLI keys create" in _row("audit", prefix)


@pytest.mark.usefixtures("secret")
def test_the_record_can_be_narrowed_to_a_key() -> None:
    prefix = _create("李工", *SEARCH)
    assert prefix not in _run("audit", "list", "--key", prefix).stdout  # it was made without a key


def test_without_a_secret_no_key_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NLP_SECRET", raising=False)
    with pytest.raises(AccessNotConfigured, match="openssl rand -hex 32"):
        _run("keys", "create", "李工", *SEARCH)


@pytest.mark.usefixtures("secret")
def test_a_name_with_personal_data_is_refused() -> None:
    with pytest.raises(InvalidText, match="name"):
        _run("keys", "create", "13812345678", *SEARCH)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "arguments", [[], ["--scope", "everything"], [*SEARCH, "--days", "0"], [*SEARCH, "--days", "9999"]]
)
def test_what_a_key_cannot_be_made_with_is_refused(arguments: list[str]) -> None:
    assert _run("keys", "create", "李工", *arguments).exit_code == 2


def test_an_unknown_key_is_an_expected_error() -> None:
    with pytest.raises(NotFound, match="nlp_x"):
        _run("keys", "revoke", "nlp_x")
