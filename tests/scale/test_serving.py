"""The service on a Ray cluster answers as it does without one."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from fastapi.testclient import TestClient

from nlp_service.errors import ServiceError
from nlp_service.scale.cluster import ray_cluster
from nlp_service.scale.serving import ServeOptions, served
from nlp_service.scale.store import check_same_store, check_store, database_name
from nlp_service.settings import Settings
from tests.conftest import BUNDLES
from tests.ports import free_port
from tests.postgres import PostgresServer
from tests.scale.clusters import nodes

TICKETS = {
    "tickets": [
        {"text": "又闪退了，三次没保存", "id": "甲"},
        {"text": "订单只能一条一条导出，也不给个批量的", "reported_as": "fault"},
        {"text": "Where do I download the invoice?"},
    ]
}
ARTICLE = {
    "title": "投屏后手机没有声音",
    "problem": "投屏到电视以后画面正常，手机和电视都没有声音",
    "solution": "在电视的音频输出里选择电视扬声器，再重新投屏。",
}
SEARCHES = 12


@pytest.fixture(scope="module")
def on_ray(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the service on two nodes, a replica on each, with PostgreSQL between them."""
    home: Path = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    port = free_port()
    with ExitStack() as stack:
        url = stack.enter_context(postgres.database("on_ray"))
        environment = {"NLP_HOME": str(home), "NLP_DATABASE_URL": url, "NLP_LOG_LEVEL": "error"}
        with patch.dict(os.environ, environment):
            cluster = stack.enter_context(nodes(1, 1))
            machines = stack.enter_context(ray_cluster(cluster.address))
            stack.enter_context(served(Settings(port=port), ServeOptions(2), machines))
        yield stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))


def test_answers_are_those_of_the_plain_service(on_ray: httpx.Client, service: TestClient) -> None:
    answer = on_ray.post("/v1/classify", json=TICKETS)
    assert answer.raise_for_status().json() == service.post("/v1/classify", json=TICKETS).json()


def test_every_replica_finds_a_new_article_at_once(on_ray: httpx.Client) -> None:
    created = on_ray.post("/v1/knowledge", json=ARTICLE).raise_for_status().json()
    query = {"query": "投屏没声音", "top_k": 1}
    found = [on_ray.post("/v1/search", json=query).raise_for_status().json()["hits"] for _ in range(SEARCHES)]
    assert [[hit["id"] for hit in hits] for hits in found] == [[created["id"]]] * SEARCHES


def test_the_id_of_a_request_is_kept(on_ray: httpx.Client) -> None:
    answer = on_ray.get("/livez", headers={"X-Request-ID": "ticket-17"})
    assert answer.headers.get_list("X-Request-ID") == ["ticket-17"]


def test_a_body_that_is_too_large_is_refused(on_ray: httpx.Client) -> None:
    answer = on_ray.post("/v1/sentiment", json={"texts": ["长" * 1_000_000]})
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")


def test_a_page_of_another_site_is_refused(on_ray: httpx.Client) -> None:
    answer = on_ray.post("/v1/classify", json=TICKETS, headers={"Origin": "https://example.org"})
    assert answer.status_code == 403


def test_metrics_count_the_replicas_of_a_machine_together(on_ray: httpx.Client) -> None:
    assert "\nnlp_workers 2.0\n" in on_ray.get("/metrics").text


def test_several_machines_need_postgresql(settings: Settings) -> None:
    with pytest.raises(ServiceError, match=r"2 台机器.*PostgreSQL"):
        check_store(settings, 2)


def test_one_machine_may_have_sqlite(settings: Settings) -> None:
    check_store(settings, 1)


def test_a_machine_with_another_database_is_refused_without_telling_passwords(home: Path) -> None:
    started = Settings(home=home, database_url="postgresql+psycopg://nlp:geheim@db/nlp")
    other = Settings(home=home, database_url="postgresql+psycopg://nlp:geheim@other/nlp")
    with pytest.raises(ServiceError, match="@other/nlp") as refused:
        check_same_store(other, database_name(started))
    assert "geheim" not in str(refused.value)
