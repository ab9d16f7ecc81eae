"""What is written of an exception quotes nothing that it was about."""

import errno

import pytest
from sqlalchemy.exc import OperationalError

from nlp_service.errors import BundleError
from nlp_service.tracebacks import described, without_messages

TEXT = "张三的手机号是13812345678"


def _raised(*, cause: Exception | None = None) -> Exception:
    try:
        raise ValueError(TEXT) from cause
    except ValueError as error:
        return error


def test_a_traceback_names_class_and_place() -> None:
    written = without_messages(_raised())
    assert written.endswith("ValueError")
    assert f'File "{__file__}"' in written


def test_a_traceback_names_what_caused_it_first() -> None:
    written = without_messages(_raised(cause=KeyError(TEXT)))
    assert written.index("KeyError") < written.index("\nValueError")


def test_a_traceback_quotes_no_message() -> None:
    assert TEXT not in without_messages(_raised(cause=KeyError(TEXT)))


def test_exceptions_that_cause_each_other_end() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert without_messages(one).count("Error") == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError(TEXT), "ValueError"),
        (BundleError("heads/a: missing"), "nlp_service.errors.BundleError: heads/a: missing"),
        (OSError(errno.ENOSPC, "No space left on device", TEXT), "OSError: No space left on device"),
        (OperationalError(TEXT, {"text": TEXT}, KeyError(TEXT)), "sqlalchemy.exc.OperationalError: KeyError"),
    ],
)
def test_an_error_is_described_without_what_it_was_about(error: Exception, words: str) -> None:
    assert described(error) == words
