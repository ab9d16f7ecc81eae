"""One reader for each kind of file."""

import builtins
import sys
from types import ModuleType
from typing import Any

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats import registry
from nlp_service.knowledge.formats.registry import DOCUMENTS
from tests.knowledge.formats.samples import entries, good

LIBRARIES = {".md": "markdown_it", ".html": "lxml", ".docx": "mammoth", ".pdf": "pypdf", ".xlsx": "openpyxl"}


@pytest.fixture
def _no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra was not installed."""
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> ModuleType:
        if name.partition(".")[0] in {*LIBRARIES.values(), "yaml"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.partition(".")[0])
        return original(name, *arguments, **options)

    for module in [name for name in sys.modules if name.startswith("nlp_service.knowledge.formats.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.doc", "a.md.bak", ""])
def test_another_kind_of_file_is_told_which_ones_are_read(name: str) -> None:
    with pytest.raises(InvalidRecord, match=r"only \.jsonl and \.csv, and documents: \.xlsx \.md"):
        entries(name, b"x")


def test_a_table_may_be_larger_than_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MAX_DOCUMENT_BYTES", 10)
    assert len(good("a.csv", "title,problem,solution\na,b,c\n")) == 1


@pytest.mark.parametrize("suffix", DOCUMENTS)
def test_a_document_over_50_mb_is_refused(suffix: str) -> None:
    with pytest.raises(InvalidRecord, match=r"50 MB"):
        entries(f"a{suffix}", b" " * 50_000_001)


@pytest.mark.usefixtures("_no_extra")
@pytest.mark.parametrize(("suffix", "library"), LIBRARIES.items())
def test_a_missing_library_is_named_with_the_command_that_installs_it(suffix: str, library: str) -> None:
    with pytest.raises(InvalidRecord, match=rf"{library}.*: pip install 'nlp-service\[import\]'"):
        entries(f"a{suffix}", b"x")


@pytest.mark.usefixtures("_no_extra")
def test_records_need_no_library() -> None:
    assert len(good("a.csv", "title,problem,solution\na,b,c\n")) == 1
