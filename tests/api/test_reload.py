"""Promoted models over HTTP: taken by a call or by watching the release, without a gap, and only when they load."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nlp_service.api.deps import EngineDep
from nlp_service.app import create_app
from nlp_service.inference.engine import TASKS
from nlp_service.inference.head import TEST_ANSWERS_FILE, WEIGHTS_FILE
from nlp_service.inference.release import Release, head_folder, read_release, write_release
from nlp_service.settings import Settings
from tests.api.expectations import fields_of, problem_of
from tests.releases import (
    copy_bundles,
    copy_head,
    edit_bundle,
    move_to_own_encoder,
    promote,
    replace_file,
    serving_head,
    turn_head,
    wait_for_closing,
)

FAULT = {"tickets": [{"text": "点击提交后一直报错 500，数据全丢了"}]}
OWN_LABELS = ["故障", "需求", "账单", "其他"]
WATCHED_SECONDS = 5
THREADS, REQUESTS = 4, 60


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles with two more heads for tickets, which give each label the probability of the one before.

    The head `own` has an encoder of its own.
    """
    copied = copy_bundles(tmp_path_factory.mktemp("home"))
    turn_head(copied, "classify", "second")
    move_to_own_encoder(copied, turn_head(copied, "classify", "own"))
    return copied


@pytest.fixture(scope="module")
def first(bundles: Path) -> Release:
    return read_release(bundles)


@pytest.fixture(scope="module")
def second(first: Release) -> Release:
    return first.changed("promote", "classify", {"classify": "heads/classify-second"})


@pytest.fixture(scope="module")
def own(second: Release) -> Release:
    return second.changed("promote", "classify", {"classify": "heads/classify-own"})


def _service(bundles: Path, *, watch_models: bool) -> TestClient:
    return TestClient(create_app(Settings(home=bundles.parents[1], watch_models=watch_models)))


@pytest.fixture(scope="module")
def unwatched(bundles: Path) -> Iterator[TestClient]:
    with _service(bundles, watch_models=False) as started:
        yield started


@pytest.fixture
def client(unwatched: TestClient, bundles: Path, first: Release) -> Iterator[TestClient]:
    """The service, which takes a release only when it is called; afterwards what served at first serves again."""
    yield unwatched
    write_release(bundles, first)
    if _ready_version(unwatched) != _version(bundles, first):
        assert _reload(unwatched).status_code == 200


def _reload(client: TestClient, task: str = "classify") -> Any:
    return client.post(f"/v1/models/{task}/reload")


def _classified(client: TestClient) -> tuple[str, str]:
    """Version and label of the answer for an obvious fault."""
    response = client.post("/v1/classify", json=FAULT)
    assert response.status_code == 200, response.text
    return response.json()["model"]["version"], response.json()["results"][0]["label"]


def _ready_version(client: TestClient) -> str:
    models: dict[str, str] = {model["name"]: model["version"] for model in client.get("/readyz").json()["models"]}
    return models["classify"]


def _version(bundles: Path, release: Release) -> str:
    return (bundles / release.serving["classify"]).name.removeprefix("classify-")


class TestCall:
    def test_a_promoted_version_answers_after_a_reload(
        self, client: TestClient, bundles: Path, first: Release, second: Release
    ) -> None:
        assert _classified(client) == (_version(bundles, first), "fault")
        write_release(bundles, second)
        assert _reload(client).status_code == 200
        assert _classified(client) == ("second", "feature_request")

    def test_a_reload_tells_what_it_did(
        self, client: TestClient, bundles: Path, first: Release, second: Release
    ) -> None:
        write_release(bundles, second)
        assert _reload(client).json() == {
            "task": "classify",
            "before": _version(bundles, first),
            "after": "second",
            "changed": True,
        }

    @pytest.mark.parametrize("task", TASKS)
    def test_a_reload_without_a_change_says_so(self, client: TestClient, task: str) -> None:
        told = _reload(client, task).json()
        assert told["before"] == told["after"]
        assert told["changed"] is False

    def test_a_reload_of_one_task_takes_the_whole_release(
        self, client: TestClient, bundles: Path, second: Release
    ) -> None:
        write_release(bundles, second)
        assert _reload(client, "sentiment").json()["changed"] is False
        assert _classified(client)[0] == "second"

    def test_without_a_call_nothing_changes_where_releases_are_not_watched(
        self, client: TestClient, bundles: Path, first: Release, second: Release
    ) -> None:
        write_release(bundles, second)
        assert _classified(client)[0] == _version(bundles, first)

    def test_readiness_and_the_list_of_models_name_the_new_version(
        self, client: TestClient, bundles: Path, second: Release
    ) -> None:
        write_release(bundles, second)
        _reload(client)
        listed = {task["task"]: task["version"] for task in client.get("/v1/models").json()["tasks"]}
        assert (_ready_version(client), listed["classify"]) == ("second", "second")

    def test_a_rollback_is_taken_as_well(
        self, client: TestClient, bundles: Path, first: Release, second: Release
    ) -> None:
        write_release(bundles, second)
        _reload(client)
        write_release(bundles, second.rolled_back("classify"))
        _reload(client)
        assert _classified(client) == (_version(bundles, first), "fault")


class TestOwnLabels:
    """A head whose labels are the customer's own: each ticket gets the one in the place of the project's label."""

    @pytest.fixture
    def relabelled(self, client: TestClient, bundles: Path) -> TestClient:
        folder = bundles / head_folder("classify", "relabelled")
        if not folder.exists():
            edit_bundle(copy_head(bundles, "classify", "relabelled"), labels=OWN_LABELS)
        promote(bundles, "classify", folder)
        assert _reload(client).status_code == 200
        return client

    def test_they_are_answered(self, relabelled: TestClient) -> None:
        assert _classified(relabelled) == ("relabelled", "故障")

    def test_they_have_probabilities(self, relabelled: TestClient) -> None:
        (result,) = relabelled.post("/v1/classify", json=FAULT).json()["results"]
        assert list(result["probabilities"]) == OWN_LABELS

    def test_the_service_desk_answers_them(self, relabelled: TestClient) -> None:
        (result,) = relabelled.post("/v1/classify", json=FAULT).json()["results"]
        assert result["triage"]["team"] == "service-desk"

    def test_they_are_explained(self, relabelled: TestClient) -> None:
        (result,) = relabelled.post("/v1/classify", json={**FAULT, "explain": True}).json()["results"]
        assert result["explanation"]

    def test_they_are_listed(self, relabelled: TestClient) -> None:
        listed = {task["task"]: task["labels"] for task in relabelled.get("/v1/models").json()["tasks"]}
        assert listed["classify"] == OWN_LABELS

    def test_a_customer_may_report_them(self, relabelled: TestClient) -> None:
        tickets = [{**FAULT["tickets"][0], "reported_as": label} for label in ("故障", "账单")]
        results = relabelled.post("/v1/classify", json={"tickets": tickets}).json()["results"]
        assert [result["disagrees_with_report"] for result in results] == [False, True]

    def test_a_label_of_the_project_is_reported_no_more(self, relabelled: TestClient) -> None:
        tickets = [{**FAULT["tickets"][0], "reported_as": "fault"}]
        document = problem_of(relabelled.post("/v1/classify", json={"tickets": tickets}), 422)
        assert fields_of(document) == {"tickets.0.reported_as"}
        assert "账单" in document["detail"]


def test_a_request_under_way_keeps_its_engine_and_its_encoder(
    client: TestClient, bundles: Path, own: Release, first: Release
) -> None:
    begun, reloaded = threading.Event(), threading.Event()

    def held(engine: EngineDep) -> list[str]:
        begun.set()
        reloaded.wait(60)
        return [kind.label for _, kind in engine.analyse([FAULT["tickets"][0]["text"]])]

    assert isinstance(client.app, FastAPI)
    client.app.add_api_route("/held", held)
    write_release(bundles, own)
    _reload(client)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.get, "/held")
        begun.wait(60)
        write_release(bundles, first)
        _reload(client)
        assert _classified(client) == (_version(bundles, first), "fault")
        wait_for_closing()
        reloaded.set()
        assert asked.result().json() == ["feature_request"]


def _damage_weights(folder: Path, _: Path) -> None:
    with (folder / WEIGHTS_FILE).open("ab") as stream:
        stream.write(b"\0")


def _take_weights_that_are_none(folder: Path, _: Path) -> None:
    replace_file(folder, WEIGHTS_FILE, b"no tensors")


def _take_answers_of_the_first_version(folder: Path, bundles: Path) -> None:
    replace_file(folder, TEST_ANSWERS_FILE, (serving_head(bundles, "classify") / TEST_ANSWERS_FILE).read_bytes())


def _remove_description(folder: Path, _: Path) -> None:
    (folder / "bundle.json").unlink()


def _promote_damaged(bundles: Path, damage: "Damage") -> None:
    folder = bundles / head_folder("classify", damage.__name__)
    if not folder.exists():
        turn_head(bundles, "classify", damage.__name__)
        damage(folder, bundles)
    promote(bundles, "classify", folder)


Damage = Callable[[Path, Path], None]
DAMAGES: list[Damage] = [
    _damage_weights,
    _take_weights_that_are_none,
    _take_answers_of_the_first_version,
    _remove_description,
]


class TestRefused:
    @pytest.fixture(params=DAMAGES, ids=lambda damage: damage.__name__.strip("_").replace("_", " "))
    def refused(self, request: pytest.FixtureRequest, client: TestClient, bundles: Path) -> Any:
        """The answer to a reload after a damaged bundle was promoted."""
        _promote_damaged(bundles, request.param)
        return _reload(client)

    def test_the_problem_says_which_version_stays(self, refused: Any, bundles: Path, first: Release) -> None:
        assert f"{_version(bundles, first)} stays" in problem_of(refused, 409)["detail"]

    def test_the_old_version_still_answers(
        self, refused: Any, client: TestClient, bundles: Path, first: Release
    ) -> None:
        assert refused.status_code == 409
        assert _classified(client) == (_version(bundles, first), "fault")

    def test_the_service_is_ready(self, refused: Any, client: TestClient) -> None:
        assert refused.status_code == 409
        assert client.get("/readyz").status_code == 200

    def test_the_next_good_version_is_taken(
        self, refused: Any, client: TestClient, bundles: Path, second: Release
    ) -> None:
        assert refused.status_code == 409
        write_release(bundles, second)
        assert _reload(client).json()["after"] == "second"

    def test_a_broken_release_is_refused(self, client: TestClient, bundles: Path, first: Release) -> None:
        (bundles / "release.json").write_text("{", "utf-8")
        problem_of(_reload(client), 409)
        assert _classified(client) == (_version(bundles, first), "fault")


@pytest.fixture(scope="module")
def answers(
    unwatched: TestClient, bundles: Path, first: Release, second: Release, own: Release
) -> set[tuple[str, str]]:
    """Versions and labels of hundreds of answers from four threads while models are replaced six times."""
    reloaded = threading.Event()

    def ask(_: int) -> list[tuple[str, str]]:
        answers: list[tuple[str, str]] = []
        while len(answers) < REQUESTS or not reloaded.is_set():
            answers.append(_classified(unwatched))
        return answers

    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(ask, number) for number in range(THREADS)]
        try:
            for release in (second, own, first, own, second, first):
                write_release(bundles, release)
                assert _reload(unwatched).json()["changed"] is True
        finally:
            reloaded.set()
        return {answer for future in asked for answer in future.result()}


class TestTraffic:
    def test_every_answer_is_that_of_a_version_that_served(
        self, answers: set[tuple[str, str]], bundles: Path, first: Release
    ) -> None:
        turned = {(version, "feature_request") for version in ("second", "own")}
        assert answers <= {(_version(bundles, first), "fault"), *turned}

    def test_every_version_answered(self, answers: set[tuple[str, str]]) -> None:
        assert len({version for version, _ in answers}) == 3


@pytest.fixture(scope="module")
def watching(bundles: Path, first: Release) -> Iterator[TestClient]:
    write_release(bundles, first)
    with _service(bundles, watch_models=True) as started:
        yield started


class TestWatch:
    @pytest.fixture
    def watched(self, watching: TestClient, bundles: Path, first: Release) -> Iterator[TestClient]:
        """The service, which watches the release; afterwards what served at first serves again."""
        yield watching
        write_release(bundles, first)
        _wait_until(lambda: _ready_version(watching) == _version(bundles, first))

    def test_a_promoted_version_is_taken_without_a_call(
        self, watched: TestClient, bundles: Path, second: Release
    ) -> None:
        write_release(bundles, second)
        _wait_until(lambda: _ready_version(watched) == "second")
        assert _classified(watched) == ("second", "feature_request")

    def test_a_rollback_is_taken_without_a_call(
        self, watched: TestClient, bundles: Path, first: Release, second: Release
    ) -> None:
        write_release(bundles, second)
        _wait_until(lambda: _ready_version(watched) == "second")
        write_release(bundles, second.rolled_back("classify"))
        _wait_until(lambda: _ready_version(watched) == _version(bundles, first))
        assert _classified(watched)[1] == "fault"

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_version_that_does_not_load_is_passed_over_and_the_next_one_taken(
        self, watched: TestClient, bundles: Path, first: Release, second: Release, damage: Damage
    ) -> None:
        _promote_damaged(bundles, damage)
        _wait_until(lambda: not watched.app.state.live.changed)  # type: ignore[attr-defined]
        assert _classified(watched) == (_version(bundles, first), "fault")
        write_release(bundles, second)
        _wait_until(lambda: _ready_version(watched) == "second")


def _wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WATCHED_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"not within {WATCHED_SECONDS} s"
        time.sleep(0.05)
