"""A shard is finished exactly when its receipt stands, and what is finished stays."""

import json
from pathlib import Path

import pytest

from nlp_service.errors import ServiceError
from nlp_service.feedback.answered import Answer
from nlp_service.feedback.corpus_files import CorpusFile
from nlp_service.feedback.survey import survey
from nlp_service.inference.engine import Engine
from nlp_service.scale.gathering import gather
from nlp_service.scale.job import Job, Shard, parts_folder, read_job, shards_of, write_job
from nlp_service.scale.part import analyse_shard
from nlp_service.scale.receipt import Receipt
from nlp_service.scale.worker import PROBLEM, SHARD, ShardWorker

LINES = ['{"text": "又闪退了"}', "{", '{"text": "Love it", "sentiment": 5}', "", '{"text": "发票在哪里开"}']
MODELS = {"heads/classify-1": "0" * 64}


class Counted:
    """The engine's answers, with the texts that were asked for."""

    def __init__(self, engine: Engine) -> None:
        self.texts: list[str] = []
        self._engine = engine

    def __call__(self, texts: list[str]) -> list[Answer]:
        self.texts += texts
        return self._engine.analyse(texts)


@pytest.fixture
def file(tmp_path: Path) -> CorpusFile:
    (tmp_path / "a.jsonl").write_text("\n".join(LINES) + "\n", "utf-8")
    return CorpusFile(tmp_path / "a.jsonl", tmp_path / "answers.jsonl")


def _prepared(file: CorpusFile, models: dict[str, str] = MODELS) -> tuple[Job, list[Shard]]:
    found = survey(file.source, None, 2)
    job = Job.of(file, found, models)
    write_job(parts_folder(file.target), job)
    return job, list(shards_of(file, found))


def _run(file: CorpusFile, analyse: Counted, models: dict[str, str] = MODELS) -> list[Receipt]:
    job, shards = _prepared(file, models)
    return [analyse_shard(shard, job, analyse) for shard in shards]


@pytest.fixture
def counted(engine: Engine) -> Counted:
    return Counted(engine)


def test_every_record_is_a_row_or_a_rejected_line(file: CorpusFile, counted: Counted) -> None:
    receipts = _run(file, counted)
    assert [(receipt.tally.texts, receipt.tally.bad) for receipt in receipts] == [(1, 1), (1, 1), (1, 0)]


def test_a_finished_shard_is_not_computed_again(file: CorpusFile, counted: Counted) -> None:
    first = _run(file, counted)
    assert _run(file, counted) == first
    assert len(counted.texts) == 3


def test_a_shard_whose_source_changed_is_computed_again(file: CorpusFile, counted: Counted) -> None:
    _run(file, counted)
    file.source.write_text("\n".join([*LINES[:4], '{"text": "很好用很好用"}']) + "\n", "utf-8")
    _run(file, counted)
    assert counted.texts[3:] == ["很好用很好用"]


def test_other_models_compute_everything_again(file: CorpusFile, counted: Counted) -> None:
    _run(file, counted)
    _run(file, counted, {"heads/classify-2": "0" * 64})
    assert len(counted.texts) == 6


def test_a_shard_whose_output_was_lost_is_computed_again(file: CorpusFile, counted: Counted) -> None:
    first = _run(file, counted)
    (parts_folder(file.target) / first[1].rows.name).unlink()
    _run(file, counted)
    assert counted.texts[3:] == ["Love it"]


def test_a_shard_that_failed_leaves_nothing(file: CorpusFile) -> None:
    job, shards = _prepared(file)

    def fail(texts: list[str]) -> list[Answer]:
        raise OSError(28, f"no space for {len(texts)}")

    before = set(parts_folder(file.target).iterdir())
    with pytest.raises(OSError, match="no space"):
        analyse_shard(shards[0], job, fail)
    assert set(parts_folder(file.target).iterdir()) == before


def test_a_source_that_changes_during_a_run_is_an_expected_error(file: CorpusFile, counted: Counted) -> None:
    job, shards = _prepared(file)
    file.source.write_text("\n".join(["{}", *LINES[1:]]) + "\n", "utf-8")
    with pytest.raises(ServiceError, match="was changed"):
        analyse_shard(shards[0], job, counted)


def test_a_damaged_part_is_found_and_made_anew(file: CorpusFile, counted: Counted) -> None:
    job, _ = _prepared(file)
    receipts = _run(file, counted)
    part = parts_folder(file.target) / receipts[0].rows.name
    part.write_bytes(b"x" * part.stat().st_size)
    with pytest.raises(ServiceError, match="checksum"):
        gather(file, job, receipts)
    assert not file.target.exists()
    gather(file, job, _run(file, counted))
    assert [json.loads(line)["line"] for line in file.target.read_text("utf-8").splitlines()] == [1, 3, 5]


def test_a_column_of_the_input_keeps_its_name_in_every_shard(file: CorpusFile, counted: Counted) -> None:
    job, _ = _prepared(file)
    gather(file, job, _run(file, counted))
    rows = [json.loads(line) for line in file.target.read_text("utf-8").splitlines()]
    assert [("sentiment_nlp" in row, row.get("sentiment")) for row in rows] == [(True, None), (True, 5), (True, None)]


def test_a_folder_that_is_not_shared_is_an_expected_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="all machines share"):
        read_job(tmp_path / "elsewhere")


def test_a_machine_with_other_models_says_so(file: CorpusFile, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLP_HOME", str(home))
    _, shards = _prepared(file)
    (problem,) = ShardWorker(1)({SHARD: [shards[0].model_dump_json()]})[PROBLEM]
    assert "models here are not those" in problem
