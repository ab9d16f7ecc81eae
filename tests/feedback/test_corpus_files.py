"""Which files are analysed, and where the results go."""

from pathlib import Path

import pytest

from nlp_service.errors import ServiceError
from nlp_service.feedback.corpus_files import corpus_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jsonl", "a.csv", "a.analyzed.csv", "b.rejected.jsonl", "notes.docx"):
        (tmp_path / name).write_text("", "utf-8")
    (tmp_path / "answers").mkdir()
    return tmp_path


def test_a_folder_is_its_files_in_order_without_earlier_results(folder: Path) -> None:
    assert [file.source.name for file in corpus_files([folder])] == ["a.csv", "b.jsonl"]


def test_results_lie_beside_their_sources_in_the_same_form(folder: Path) -> None:
    targets = [file.target for file in corpus_files([folder])]
    assert targets == [folder / "a.analyzed.csv", folder / "b.analyzed.jsonl"]


def test_results_of_several_files_go_to_a_folder(folder: Path) -> None:
    targets = [file.target.name for file in corpus_files([folder / "a.csv", folder / "b.jsonl"], folder / "answers")]
    assert targets == ["a.analyzed.csv", "b.analyzed.jsonl"]


def test_a_file_that_is_named_may_have_any_ending(folder: Path) -> None:
    (file,) = corpus_files([folder / "notes.docx"])
    assert file.target == folder / "notes.analyzed.jsonl"


def test_rejected_lines_lie_beside_the_result(folder: Path) -> None:
    (file,) = corpus_files([folder / "a.csv"], folder / "answers" / "out.csv")
    assert file.rejected == folder / "answers" / "out.rejected.jsonl"


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["a.csv", "b.jsonl"], "out.csv", "existing folder"),
        (["a.csv"], "out.xlsx", r"\.jsonl or \.csv"),
        (["a.csv"], "missing/out.csv", "does not exist"),
        (["a.csv"], "a.csv", "replace the input"),
        (["a.csv", "b.jsonl", "a.csv"], None, "one name"),
        (["answers"], None, "no file to read"),
    ],
    ids=["several into one", "form", "missing folder", "itself", "twice", "empty folder"],
)
def test_what_cannot_be_written_is_refused(folder: Path, inputs: list[str], output: str | None, message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        corpus_files([folder / name for name in inputs], folder / output if output else None)
