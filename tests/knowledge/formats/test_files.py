"""Which files are read, and under which names."""

from pathlib import Path

import pytest

from nlp_service.errors import ServiceError
from nlp_service.knowledge.formats.files import files_of


def _make(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x", "utf-8")
    return folder


def _names(*paths: Path) -> list[str]:
    return [file.name for file in files_of(paths)]


def test_a_folder_is_read_with_all_below_in_order(tmp_path: Path) -> None:
    folder = _make(tmp_path, "b.csv", "a.jsonl", "docs/deep/c.md", "docs/d.PDF")
    assert _names(folder) == ["a.jsonl", "b.csv", "docs/d.PDF", "docs/deep/c.md"]


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.ndjson", "a.csv", "a.xlsx", "a.md", "a.html", "a.htm", "a.docx", "a.pdf"]
)
def test_every_format_is_found(tmp_path: Path, name: str) -> None:
    assert _names(_make(tmp_path, name)) == [name]


@pytest.mark.parametrize("name", ["a.txt", "a", ".a.md", ".git/a.md", "~$a.docx", "README.md", "docs/readme.zh-CN.md"])
def test_what_is_no_knowledge_is_passed_over(tmp_path: Path, name: str) -> None:
    assert _names(_make(tmp_path, "b.md", name)) == ["b.md"]


def test_a_readme_that_is_given_itself_is_read(tmp_path: Path) -> None:
    assert _names(_make(tmp_path, "README.md") / "README.md") == ["README.md"]


def test_a_name_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    assert _names(_make(tmp_path / "one", "docs/a.md")) == _names(_make(tmp_path / "two", "docs/a.md"))


def test_a_file_that_is_given_twice_is_read_once(tmp_path: Path) -> None:
    folder = _make(tmp_path, "a.md")
    assert _names(folder, folder / "a.md", folder) == ["a.md"]


def test_a_folder_that_leads_back_to_itself_is_read_once(tmp_path: Path) -> None:
    _make(tmp_path, "a.md")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert _names(tmp_path) == ["a.md"]


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="same name"):
        _names(_make(tmp_path / "one", "a.md"), _make(tmp_path / "two", "a.md"))


def test_two_tables_of_one_name_are_read(tmp_path: Path) -> None:
    assert _names(_make(tmp_path / "one", "a.csv"), _make(tmp_path / "two", "a.csv")) == ["a.csv", "a.csv"]


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"no \.jsonl or \.csv"):
        _names(_make(tmp_path, "README.md"))
