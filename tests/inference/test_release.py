"""The release: which bundles serve, how that came about, and how it is taken back."""

import threading
from pathlib import Path

import pytest

from nlp_service.errors import BundleError
from nlp_service.inference.release import (
    KEPT_CHANGES,
    RELEASE_FILE,
    Parts,
    Release,
    read_release,
    write_release,
)
from tests.conftest import BUNDLES

SHIPPED = {"search": "encoders/search-0", "classify": "heads/classify-0", "sentiment": "heads/sentiment-0"}


@pytest.fixture
def shipped() -> Release:
    return Release(serving={}).ship(SHIPPED)


def _promoted(release: Release, *versions: str) -> Release:
    for version in versions:
        release = release.changed("promote", "classify", {"classify": f"heads/classify-{version}"})
    return release


def _rolled_back(release: Release, times: int = 1) -> Release:
    for _ in range(times):
        release = release.rolled_back("classify")
    return release


def _classify(release: Release) -> str:
    return release.serving["classify"].removeprefix("heads/classify-")


class TestShip:
    def test_what_is_shipped_first_serves(self, shipped: Release) -> None:
        assert shipped.serving == SHIPPED

    def test_the_next_version_replaces_it(self, shipped: Release) -> None:
        later = {**SHIPPED, "classify": "heads/classify-1"}
        assert shipped.ship(later).serving == later

    def test_what_was_promoted_goes_on(self, shipped: Release) -> None:
        assert _classify(_promoted(shipped, "own").ship({**SHIPPED, "classify": "heads/classify-1"})) == "own"

    def test_parts_beside_one_that_was_promoted_are_replaced(self, shipped: Release) -> None:
        later = {part: f"{folder}-later" for part, folder in SHIPPED.items()}
        serving = _promoted(shipped, "own").ship(later).serving
        assert serving == {**later, "classify": "heads/classify-own"}

    def test_what_is_shipped_is_remembered_where_it_does_not_serve(self, shipped: Release) -> None:
        later = {**SHIPPED, "classify": "heads/classify-1"}
        assert _promoted(shipped, "own").ship(later).shipped == later

    def test_a_later_version_replaces_an_older_one_that_a_rollback_brought_back(self, shipped: Release) -> None:
        second, third = ({**SHIPPED, "classify": f"heads/classify-shipped-{number}"} for number in (2, 3))
        back = _promoted(shipped, "own").ship(second).rolled_back("classify")
        assert _classify(back.ship(third)) == third["classify"].removeprefix("heads/classify-")

    def test_a_new_part_serves(self, shipped: Release) -> None:
        more = {**SHIPPED, "severity": "heads/severity-0"}
        assert shipped.ship(more).serving == more

    def test_shipping_the_same_again_is_no_change(self, shipped: Release) -> None:
        assert shipped.ship(SHIPPED) == shipped


class TestPromote:
    def test_a_promoted_part_serves(self, shipped: Release) -> None:
        assert _classify(_promoted(shipped, "1")) == "1"

    def test_the_other_parts_stay(self, shipped: Release) -> None:
        assert _promoted(shipped, "1").serving == {**SHIPPED, "classify": "heads/classify-1"}

    def test_the_release_before_stays_as_it_was(self, shipped: Release) -> None:
        _promoted(shipped, "1")
        assert shipped.serving == SHIPPED

    def test_the_step_is_recorded(self, shipped: Release) -> None:
        step = shipped.changed("promote", "classify", {"classify": "heads/classify-1"}, "models:/classify/1").history[
            -1
        ]
        assert (step.action, step.target, step.source) == ("promote", "classify", "models:/classify/1")
        assert (step.before, step.after) == ({"classify": "heads/classify-0"}, {"classify": "heads/classify-1"})

    def test_only_parts_that_change_are_recorded(self, shipped: Release) -> None:
        parts = {**SHIPPED, "classify": "heads/classify-1"}
        assert shipped.changed("promote", "feedback", parts).history[-1].after == {"classify": "heads/classify-1"}

    def test_a_part_that_did_not_exist_is_missing_before(self, shipped: Release) -> None:
        assert shipped.changed("promote", "aspects", {"aspects": "heads/aspects-1"}).history[-1].before == {}

    def test_promoting_what_serves_is_no_change(self, shipped: Release) -> None:
        assert shipped.changed("promote", "feedback", SHIPPED) is shipped

    def test_the_oldest_changes_are_forgotten(self, shipped: Release) -> None:
        history = _promoted(shipped, *map(str, range(1, KEPT_CHANGES + 6))).history
        assert len(history) == KEPT_CHANGES
        assert history[-1].after == {"classify": f"heads/classify-{KEPT_CHANGES + 5}"}


class TestRollback:
    def test_what_served_before_the_promotion_serves_again(self, shipped: Release) -> None:
        assert _rolled_back(_promoted(shipped, "1")).serving == SHIPPED

    def test_the_step_is_recorded(self, shipped: Release) -> None:
        step = _rolled_back(_promoted(shipped, "1")).history[-1]
        assert (step.action, step.before["classify"], step.after["classify"]) == (
            "rollback",
            "heads/classify-1",
            "heads/classify-0",
        )

    def test_a_second_rollback_undoes_the_promotion_before(self, shipped: Release) -> None:
        assert _classify(_rolled_back(_promoted(shipped, "1", "2"), times=2)) == "0"

    def test_a_promotion_after_a_rollback_is_the_next_to_be_undone(self, shipped: Release) -> None:
        release = _promoted(_rolled_back(_promoted(shipped, "1", "2")), "3")
        assert _classify(_rolled_back(release)) == "1"

    def test_a_promotion_that_was_undone_is_not_undone_again(self, shipped: Release) -> None:
        release = _promoted(_rolled_back(_promoted(shipped, "1", "2")), "3")
        assert _classify(_rolled_back(release, times=2)) == "0"

    def test_what_was_undone_can_be_promoted_again(self, shipped: Release) -> None:
        assert _classify(_promoted(_rolled_back(_promoted(shipped, "1")), "1")) == "1"

    def test_other_targets_are_left_alone(self, shipped: Release) -> None:
        release = _promoted(shipped, "1").changed("promote", "sentiment", {"sentiment": "heads/sentiment-1"})
        assert _rolled_back(release).serving == {**SHIPPED, "sentiment": "heads/sentiment-1"}

    def test_all_parts_of_a_target_go_back_together(self, shipped: Release) -> None:
        parts = {"classify": "heads/classify-1", "sentiment": "heads/sentiment-1"}
        assert shipped.changed("promote", "feedback", parts).rolled_back("feedback").serving == SHIPPED

    def test_a_part_that_was_promoted_alone_since_stays(self, shipped: Release) -> None:
        both = shipped.changed(
            "promote", "feedback", {"classify": "heads/classify-1", "sentiment": "heads/sentiment-1"}
        )
        assert _promoted(both, "2").rolled_back("feedback").serving == {**SHIPPED, "classify": "heads/classify-2"}

    def test_a_promotion_that_a_later_one_replaced_wholly_is_not_undone(self, shipped: Release) -> None:
        release = _promoted(shipped, "1").changed("promote", "feedback", {"classify": "heads/classify-2"})
        with pytest.raises(BundleError, match="roll that back first"):
            release.rolled_back("classify")

    @pytest.mark.parametrize("promotions", [0, 1])
    def test_more_rollbacks_than_promotions_are_refused(self, shipped: Release, promotions: int) -> None:
        release = _rolled_back(_promoted(shipped, *["1"][:promotions]), times=promotions)
        with pytest.raises(BundleError, match="no promotion to roll back"):
            release.rolled_back("classify")

    def test_what_was_shipped_is_not_rolled_back(self, shipped: Release) -> None:
        with pytest.raises(BundleError, match="build"):
            shipped.ship({**SHIPPED, "classify": "heads/classify-1"}).rolled_back("build")


class TestNamed:
    def test_what_serves_and_what_is_shipped_is_named(self, shipped: Release) -> None:
        release = _promoted(shipped, "own").ship({**SHIPPED, "classify": "heads/classify-1"})
        assert {"heads/classify-own", "heads/classify-1"} <= release.named()

    def test_what_a_rollback_would_bring_back_is_named(self, shipped: Release) -> None:
        assert {f"heads/classify-{version}" for version in "012"} <= _promoted(shipped, "1", "2").named()

    def test_what_was_rolled_back_is_named(self, shipped: Release) -> None:
        assert "heads/classify-1" in _rolled_back(_promoted(shipped, "1")).named()

    def test_what_a_later_build_replaced_is_not_named(self, shipped: Release) -> None:
        assert "heads/classify-0" not in shipped.ship({**SHIPPED, "classify": "heads/classify-1"}).named()

    def test_what_is_forgotten_is_not_named(self, shipped: Release) -> None:
        release = _promoted(shipped, *map(str, range(1, KEPT_CHANGES + 6)))
        assert "heads/classify-1" not in release.named()


class TestFile:
    def test_a_release_is_read_as_it_was_written(self, tmp_path: Path, shipped: Release) -> None:
        release = _rolled_back(_promoted(shipped, "1", "2"))
        write_release(tmp_path, release)
        assert read_release(tmp_path) == release

    def test_nothing_else_is_left(self, tmp_path: Path, shipped: Release) -> None:
        write_release(tmp_path, shipped)
        assert [file.name for file in tmp_path.iterdir()] == [RELEASE_FILE]

    def test_whoever_reads_the_old_file_reads_it_to_its_end(self, tmp_path: Path, shipped: Release) -> None:
        write_release(tmp_path, shipped)
        with (tmp_path / RELEASE_FILE).open("rb") as opened:
            write_release(tmp_path, _promoted(shipped, "1"))
            assert Release.model_validate_json(opened.read()) == shipped

    def test_readers_never_see_half_a_release(self, tmp_path: Path, shipped: Release) -> None:
        long = _promoted(shipped, *map(str, range(1, KEPT_CHANGES)))
        write_release(tmp_path, shipped)

        def write() -> None:
            for _ in range(50):
                write_release(tmp_path, long)
                write_release(tmp_path, shipped)

        writer = threading.Thread(target=write)
        writer.start()
        seen = [read_release(tmp_path)]
        while writer.is_alive():
            seen.append(read_release(tmp_path))
        assert all(release in (long, shipped) for release in seen)

    def test_a_release_that_cannot_be_written_leaves_the_old_one(self, tmp_path: Path, shipped: Release) -> None:
        write_release(tmp_path, shipped)
        unwritable = Release.model_construct(serving={"classify": "\ud800"})
        with pytest.raises(ValueError, match="surrogates"):
            write_release(tmp_path, unwritable)
        assert read_release(tmp_path) == shipped

    def test_a_missing_release_says_what_to_run(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match="nlp-service models build"):
            read_release(tmp_path)

    @pytest.mark.parametrize(
        ("content", "place"),
        [
            ("", "JSON"),
            ('{"serving": {', "JSON"),
            ("{}", "serving"),
            ('{"serving": {"classify": 5}}', r"serving\.classify"),
            ('{"serving": {}, "colour": "red"}', "colour"),
            ('{"serving": {}, "history": [{"action": "delete"}]}', r"history\.0"),
        ],
    )
    def test_a_broken_release_names_file_and_place(self, tmp_path: Path, content: str, place: str) -> None:
        (tmp_path / RELEASE_FILE).write_text(content, "utf-8")
        with pytest.raises(BundleError, match=f"{RELEASE_FILE}.*{place}"):
            read_release(tmp_path)


def test_the_project_ships_a_head_for_every_task_and_a_search_encoder() -> None:
    parts: Parts = read_release(BUNDLES).shipped
    assert set(parts) == {"search", "sentiment", "classify", "severity", "aspects"}


class TestReranker:
    def _with(self, release: Release, *names: str) -> Release:
        for name in names:
            release = release.changed("promote", "reranker", {"reranker": f"encoders/reranker-{name}"})
        return release

    def test_taking_the_first_one_back_leaves_none(self, shipped: Release) -> None:
        assert self._with(shipped, "1").rolled_back("reranker").serving == SHIPPED

    def test_taking_the_second_one_back_leaves_the_first(self, shipped: Release) -> None:
        assert self._with(shipped, "1", "2").rolled_back("reranker").serving["reranker"] == "encoders/reranker-1"

    def test_both_can_be_taken_back(self, shipped: Release) -> None:
        assert self._with(shipped, "1", "2").rolled_back("reranker").rolled_back("reranker").serving == SHIPPED

    def test_the_step_is_recorded(self, shipped: Release) -> None:
        step = self._with(shipped, "1").rolled_back("reranker").history[-1]
        assert (step.action, step.before, step.after) == ("rollback", {"reranker": "encoders/reranker-1"}, {})

    def test_one_that_was_taken_back_can_serve_again(self, shipped: Release) -> None:
        back = self._with(shipped, "1").rolled_back("reranker")
        assert self._with(back, "1").serving["reranker"] == "encoders/reranker-1"

    def test_without_one_there_is_nothing_to_take_back(self, shipped: Release) -> None:
        with pytest.raises(BundleError, match="no promotion to roll back"):
            shipped.rolled_back("reranker")
