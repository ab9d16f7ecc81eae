"""Gauges of how things are: what serves, how far the indexes are, the process."""

import os
import platform
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from nlp_service import __version__
from nlp_service.inference.engine import TASKS, Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.settings import Settings
from tests.held import rebuilding_service
from tests.observability.values import label_sets, value

ARTICLE = {"title": "声音卡顿", "problem": "声音卡顿", "solution": "重启"}
TICKETS = {"items": [{"kind": "ticket", "text": "导出报表一直超时"}, {"kind": "ticket", "text": "又闪退了"}]}


@pytest.fixture
def rebuilding(settings: Settings, engine: Engine) -> Iterator[TestClient]:
    with rebuilding_service(settings, engine, ArticleCreate.model_validate(ARTICLE)) as started:
        yield started


def _observed(client: TestClient) -> TestClient:
    """The service once its gauges are current."""
    client.post("/v1/search", json={"query": "声音", "mode": "lexical"})  # follows what was written
    client.app.state.observed.update()  # type: ignore[attr-defined]
    return client


def test_gauges_are_there_when_the_service_is_ready(client: TestClient) -> None:
    assert value(client, "nlp_workers") == 1


def test_records_of_the_index_are_counted_by_kind(client: TestClient) -> None:
    client.post("/v1/knowledge", json=ARTICLE)
    client.post("/v1/feedback", json=TICKETS)
    counted = [value(_observed(client), "nlp_index_records", kind=kind) for kind in ("article", "case")]
    assert counted == [1, 2]


@pytest.mark.parametrize("kind", ["article", "case"])
def test_indexes_that_follow_lag_by_nothing(client: TestClient, kind: str) -> None:
    client.post("/v1/knowledge", json=ARTICLE)
    client.post("/v1/feedback", json=TICKETS)
    assert value(_observed(client), "nlp_index_followed_change", kind=kind) > 0
    assert value(client, "nlp_index_lag_changes", kind=kind) == 0


def test_missing_vectors_are_counted(rebuilding: TestClient) -> None:
    assert value(_observed(rebuilding), "nlp_index_vectors_missing", space="serving") == 1


def test_indexes_that_are_being_completed_were_not_kept_yet(rebuilding: TestClient) -> None:
    assert value(_observed(rebuilding), "nlp_index_kept_timestamp_seconds") == 0


@pytest.mark.parametrize("space", ["serving", "preparing"])
def test_no_vector_is_missing_where_all_are_computed(client: TestClient, space: str) -> None:
    client.post("/v1/knowledge", json=ARTICLE)
    assert value(_observed(client), "nlp_index_vectors_missing", space=space) == 0


def test_the_age_of_the_snapshot_is_that_of_the_newest(client: TestClient, engine: Engine) -> None:
    client.post("/v1/knowledge", json=ARTICLE)
    assert value(_observed(client), "nlp_index_snapshot_timestamp_seconds") == 0
    searches = client.app.state.searches  # type: ignore[attr-defined]
    searches.rebuild(engine, lambda *_: None)
    saved = searches.state(engine).saved_at
    assert value(_observed(client), "nlp_index_snapshot_timestamp_seconds") == saved > 0


def test_the_models_that_answer_are_named(client: TestClient, engine: Engine) -> None:
    heads = [head.bundle for head in engine.heads.values()]
    named = [{"task": one.task, "version": one.version, "encoder": one.encoder.name} for one in heads]
    shown = label_sets(_observed(client), "nlp_model_info")
    assert sorted(shown, key=str) == sorted(named, key=str)
    assert len(shown) == len(TASKS)


def test_the_encoders_in_use_are_named(client: TestClient, engine: Engine) -> None:
    shown = {labels["fingerprint"] for labels in label_sets(_observed(client), "nlp_encoder_info")}
    assert shown == {one.fingerprint[:12] for one in engine.encoders}


def test_the_version_that_runs_is_named(client: TestClient) -> None:
    assert {"version": __version__, "python": platform.python_version()} in label_sets(client, "nlp_build_info")


def test_the_memory_of_the_process_is_told(client: TestClient) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - not a file of the project
        pages = int(file.read().split()[1])
    told = value(_observed(client), "nlp_process_memory_bytes")
    assert told == pytest.approx(pages * os.sysconf("SC_PAGE_SIZE"), rel=0.2)


def test_the_start_of_the_process_is_told(client: TestClient) -> None:
    started = value(client, "nlp_process_start_timestamp_seconds")
    assert 0 < started == value(client, "process_start_time_seconds")
