"""Two runs never write one result, with Ray or without."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nlp_service.errors import ServiceError
from nlp_service.feedback.analysing import analyse_file
from nlp_service.feedback.answered import Answer
from nlp_service.feedback.claim import claimed
from nlp_service.feedback.corpus_files import CorpusFile
from nlp_service.feedback.survey import survey
from nlp_service.scale.corpus import CorpusOptions, analyse_corpus
from nlp_service.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> CorpusFile:
    source = tmp_path / "a.txt"
    source.write_text("又闪退了\n", "utf-8")
    return CorpusFile(source, tmp_path / "b.jsonl")


def _analyse(file: CorpusFile) -> None:
    analyse_file(file.source, survey(file.source), file.target, _nothing, on_bad=print, on_texts=print)


def _analyse_on_ray(file: CorpusFile) -> None:
    analyse_corpus([file], Settings(), CorpusOptions(), lambda *_: None)


def _nothing(texts: list[str]) -> list[Answer]:
    raise AssertionError(texts)


@pytest.mark.parametrize("analyse", [_analyse, _analyse_on_ray])
def test_a_result_that_another_run_makes_is_refused(file: CorpusFile, analyse: Callable[[CorpusFile], None]) -> None:
    with claimed(file.target), pytest.raises(ServiceError, match=r"b\.jsonl: .* another run"):
        analyse(file)


def test_a_result_that_is_made_can_be_made_again_and_no_lock_is_left(file: CorpusFile) -> None:
    for _ in range(2):
        with claimed(file.target):
            pass
    assert list(file.target.parent.iterdir()) == [file.source]


def test_a_run_that_fails_keeps_nobody_out(file: CorpusFile) -> None:
    with pytest.raises(KeyError), claimed(file.target):
        raise KeyError
    with claimed(file.target):
        pass
