"""docs/reliability.md names tests that are there, in both languages."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
_TEST = re.compile(r"`([\w/]*test_\w+\.py)`")


def _named(document: str) -> list[str]:
    return _TEST.findall((DOCS / document).read_text("utf-8"))


@pytest.mark.parametrize("name", dict.fromkeys(_named("reliability.md")))
def test_a_test_that_is_named_is_there(name: str) -> None:
    assert (TESTS / name).is_file()


def test_both_languages_name_the_same_tests() -> None:
    assert _named("reliability.zh-CN.md") == _named("reliability.md")
