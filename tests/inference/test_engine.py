"""Engine: what is asked of one text costs one pass of each encoder that answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nlp_service.errors import BundleError
from nlp_service.inference.engine import TASKS, Engine, check_bundles
from nlp_service.inference.head import TEST_ANSWERS_FILE
from nlp_service.inference.release import RELEASE_FILE, read_release
from tests.releases import (
    copy_bundles,
    copy_head,
    edit_tensors,
    move_to_own_encoder,
    promote,
    replace_file,
    serving_head,
    turn_head,
)
from tests.tasks import left_of_new_tasks, tasks

TEXTS = ["又闪退了，三次没保存", "能不能支持深色模式", "发票在哪里开", "很好用，五星 👍"]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return copy_bundles(tmp_path)


@pytest.fixture(scope="module")
def divided(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Engine]:
    """An engine whose tickets are classified on an encoder of that task's own."""
    bundles = copy_bundles(tmp_path_factory.mktemp("divided"))
    promote(bundles, "classify", move_to_own_encoder(bundles, copy_head(bundles, "classify", "own")))
    loaded = Engine.load(bundles, threads=2, previous=engine)
    yield loaded
    loaded.close(keep=list(engine.batchers.values()))


def _passes(engine: Engine) -> dict[str, int]:
    """Windows that each encoder has seen, by its name."""
    return {batcher.encoder.bundle.name: batcher.encoder.passes for batcher in engine.batchers.values()}


def _new_passes(engine: Engine, before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in _passes(engine).items() if count != before[name]}


class TestPasses:
    @pytest.fixture
    def unseen(self, request: pytest.FixtureRequest) -> list[str]:
        """Texts of each test's own: what was computed lately costs no pass."""
        return [f"{text}（{request.node.name}）" for text in TEXTS]

    def test_a_text_that_was_encoded_lately_costs_none(self, engine: Engine, unseen: list[str]) -> None:
        engine.encode(unseen, TASKS)
        before = _passes(engine)
        engine.encode(unseen, TASKS)
        assert not _new_passes(engine, before)

    def test_four_tasks_on_one_encoder_cost_one_pass(self, engine: Engine, unseen: list[str]) -> None:
        before = _passes(engine)
        engine.encode(unseen, TASKS)
        assert _new_passes(engine, before) == {engine.model("classify").encoder.name: len(unseen)}

    def test_sentiment_and_kind_cost_one_pass(self, engine: Engine, unseen: list[str]) -> None:
        before = _passes(engine)
        engine.analyse(unseen)
        assert sum(_new_passes(engine, before).values()) == len(unseen)

    def test_a_task_with_an_encoder_of_its_own_costs_one_more(self, divided: Engine, unseen: list[str]) -> None:
        before = _passes(divided)
        divided.encode(unseen, TASKS)
        assert _new_passes(divided, before) == {
            divided.model("sentiment").encoder.name: len(unseen),
            "classify": len(unseen),
        }

    def test_only_encoders_that_are_needed_run(self, divided: Engine, unseen: list[str]) -> None:
        before = _passes(divided)
        divided.encode(unseen, ["classify"])
        assert _new_passes(divided, before) == {"classify": len(unseen)}


class TestAnswers:
    def test_probabilities_sum_to_one(self, engine: Engine) -> None:
        for sentiment, kind in engine.analyse(TEXTS):
            assert abs(sum(sentiment.probabilities.values()) - 1) < 1e-5
            assert abs(sum(kind.probabilities.values()) - 1) < 1e-5

    def test_every_task_answers_for_every_text(self, engine: Engine) -> None:
        pooled = engine.encode(TEXTS, TASKS)
        answers = (engine.sentiments, engine.classifications, engine.severities, engine.aspects)
        assert [len(answer(pooled)) for answer in answers] == [len(TEXTS)] * 4

    def test_an_answer_does_not_depend_on_its_neighbours(self, engine: Engine) -> None:
        alone = [engine.analyse([text])[0][1].probabilities for text in TEXTS]
        together = [kind.probabilities for _, kind in engine.analyse([*TEXTS, "长" * 600])]
        for left, right in zip(alone, together, strict=False):
            np.testing.assert_allclose(list(left.values()), list(right.values()), atol=0.02)

    def test_an_answer_does_not_depend_on_which_tasks_share_its_encoder(self, engine: Engine, divided: Engine) -> None:
        ours, theirs = (one.probabilities("classify", one.encode(TEXTS, TASKS)) for one in (engine, divided))
        np.testing.assert_allclose(ours, theirs, atol=0.02)

    def test_obvious_texts_get_their_label(self, engine: Engine) -> None:
        answers = engine.analyse(
            ["点击提交后一直报错 500，数据全丢了", "希望增加批量导出功能", "请问怎么修改绑定的手机号"]
        )
        assert [kind.label for _, kind in answers] == ["fault", "feature_request", "question"]

    def test_the_end_of_a_long_text_counts(self, engine: Engine) -> None:
        filler = "我们公司用这套系统三年了，部门里大家每天都在上面登记工作。" * 25
        texts = [filler, filler + "昨天开始一点保存就闪退，数据全没了！"]
        without, with_end = engine.vectors("classify", engine.encode(texts, ["classify"]))
        assert not np.allclose(without, with_end, atol=1e-3)


class TestLoad:
    def test_encoders_of_the_previous_engine_are_shared(self, bundles: Path, engine: Engine) -> None:
        loaded = Engine.load(bundles, threads=2, previous=engine)
        assert all(loaded.batchers[name] is batcher for name, batcher in engine.batchers.items())

    def test_an_encoder_that_serves_already_is_shared_beside_a_new_one(self, engine: Engine, divided: Engine) -> None:
        shared = engine.model("sentiment").encoder.fingerprint
        assert divided.batchers[shared] is engine.batchers[shared]

    def test_the_head_that_was_promoted_answers(self, bundles: Path, engine: Engine) -> None:
        promote(bundles, "classify", turn_head(bundles, "classify", "turned"))
        loaded = Engine.load(bundles, threads=2, previous=engine)
        ours, theirs = (one.probabilities("classify", one.encode(TEXTS, ["classify"])) for one in (engine, loaded))
        np.testing.assert_allclose(np.roll(ours, 1, axis=1), theirs, atol=0.02)

    def test_a_head_with_wrong_test_answers_is_refused(self, bundles: Path, engine: Engine) -> None:
        folder = serving_head(bundles, "severity")
        edit_tensors(folder, TEST_ANSWERS_FILE, probabilities=np.zeros((8, 3), np.float32))
        with pytest.raises(BundleError, match="test answers"):
            Engine.load(bundles, threads=2, previous=engine)

    def test_a_head_in_the_place_of_another_task_is_refused(self, bundles: Path, engine: Engine) -> None:
        promote(bundles, "severity", serving_head(bundles, "classify"))
        with pytest.raises(BundleError, match="not for severity"):
            Engine.load(bundles, threads=2, previous=engine)

    def test_a_head_whose_encoder_is_missing_is_refused(self, bundles: Path, engine: Engine) -> None:
        folder = move_to_own_encoder(bundles, copy_head(bundles, "classify", "own"))
        promote(bundles, "classify", folder)
        next((bundles / "encoders").glob("classify-*/bundle.json")).unlink()
        with pytest.raises(BundleError, match="encoders/classify-"):
            Engine.load(bundles, threads=2, previous=engine)

    def test_a_load_that_fails_leaves_no_encoder_running(self, bundles: Path, engine: Engine) -> None:
        folder = move_to_own_encoder(bundles, copy_head(bundles, "classify", "own"))
        replace_file(
            folder, TEST_ANSWERS_FILE, serving_head(bundles, "aspects").joinpath(TEST_ANSWERS_FILE).read_bytes()
        )
        promote(bundles, "classify", folder)
        engine.search.encode(["有线程告知结果"])
        before = tasks()
        with pytest.raises(BundleError):
            Engine.load(bundles, threads=2, previous=engine)
        assert left_of_new_tasks(before) == set()

    def test_a_part_that_the_release_does_not_name_is_named(self, bundles: Path, engine: Engine) -> None:
        release = json.loads((bundles / RELEASE_FILE).read_text("utf-8"))
        del release["serving"]["aspects"]
        (bundles / RELEASE_FILE).write_text(json.dumps(release), "utf-8")
        with pytest.raises(BundleError, match="aspects"):
            Engine.load(bundles, threads=2, previous=engine)


class TestCheckBundles:
    def test_bundles_that_serve_pass(self, bundles: Path) -> None:
        check_bundles(bundles)

    @pytest.mark.parametrize("task", TASKS)
    def test_a_damaged_head_is_refused(self, bundles: Path, task: str) -> None:
        folder = bundles / read_release(bundles).serving[task]
        (folder / "head.safetensors").write_bytes(b"")
        with pytest.raises(BundleError, match="sha256"):
            check_bundles(bundles)

    def test_a_damaged_head_that_does_not_serve_is_no_matter(self, bundles: Path) -> None:
        (copy_head(bundles, "classify", "other") / "head.safetensors").write_bytes(b"")
        check_bundles(bundles)

    @pytest.mark.parametrize("name", ["search", "feedback"])
    def test_a_missing_encoder_is_refused(self, bundles: Path, name: str) -> None:
        for encoder in (bundles / "encoders").glob(f"{name}-*"):
            encoder.unlink()
        with pytest.raises(BundleError, match=f"encoders/{name}-"):
            check_bundles(bundles)
