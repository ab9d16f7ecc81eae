"""Heads: what their probabilities are, and which heads are refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle, Task
from nlp_service.inference.engine import Engine
from nlp_service.inference.head import ASPECTS, LABELS, OUTPUTS, TEST_ANSWERS_FILE, WEIGHTS_FILE, Head, softmax
from tests.releases import copy_bundles, edit_bundle, edit_tensors, serving_head

TASKS: tuple[Task, ...] = ("sentiment", "classify", "severity", "aspects")
TEXTS = ["又闪退了，三次没保存", "能不能支持深色模式", "发票在哪里开"]


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return copy_bundles(tmp_path)


@pytest.fixture
def encoder(engine: Engine) -> EncoderBundle:
    fingerprint = engine.model("classify").encoder.fingerprint
    return next(bundle for bundle in engine.encoders if bundle.fingerprint == fingerprint)


def _check(folder: Path, engine: Engine, encoder: EncoderBundle) -> None:
    batcher = engine.batchers[encoder.fingerprint]
    Head.load(folder, encoder).check(folder, batcher.encode)


def _weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    return load_file(folder / WEIGHTS_FILE)


def _answers(folder: Path) -> NDArray[np.float32]:
    answers: NDArray[np.float32] = load_file(folder / TEST_ANSWERS_FILE)["probabilities"]
    return answers


class TestProbabilities:
    @pytest.mark.parametrize("task", TASKS)
    def test_there_is_one_for_each_label_of_each_answer(self, engine: Engine, task: Task) -> None:
        found = engine.probabilities(task, engine.encode(TEXTS, [task]))
        outputs = () if OUTPUTS[task] == 1 else (OUTPUTS[task],)
        assert found.shape == (len(TEXTS), *outputs, len(engine.model(task).labels))

    @pytest.mark.parametrize("task", TASKS)
    def test_those_of_an_answer_sum_to_one(self, engine: Engine, task: Task) -> None:
        found = engine.probabilities(task, engine.encode(TEXTS, [task]))
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)

    def test_no_text_gives_none(self, engine: Engine, encoder: EncoderBundle) -> None:
        none = np.empty((0, encoder.dimension), np.float32)
        assert engine.heads["aspects"].probabilities(none).shape == (0, len(ASPECTS), len(LABELS["aspects"]))

    def test_a_higher_temperature_is_less_sure(self, engine: Engine) -> None:
        head = engine.heads["classify"]
        vectors = engine.vectors("classify", engine.encode(TEXTS, ["classify"]))
        warmer = head.at_temperature(3 * head.bundle.temperature)
        assert (warmer.probabilities(vectors).max(axis=1) < head.probabilities(vectors).max(axis=1)).all()

    def test_huge_logits_do_not_overflow(self) -> None:
        found = softmax(np.array([[1e4, -1e4, 0.0]], np.float32))
        np.testing.assert_array_equal(found, [[1, 0, 0]])


class TestTestAnswers:
    @pytest.mark.parametrize("task", TASKS)
    def test_a_head_that_serves_gives_its_own(
        self, bundles: Path, engine: Engine, encoder: EncoderBundle, task: Task
    ) -> None:
        _check(serving_head(bundles, task), engine, encoder)

    @pytest.mark.parametrize("task", TASKS)
    def test_a_head_that_gives_others_is_refused(
        self, bundles: Path, engine: Engine, encoder: EncoderBundle, task: Task
    ) -> None:
        folder = serving_head(bundles, task)
        edit_tensors(folder, TEST_ANSWERS_FILE, probabilities=np.roll(_answers(folder), 1, axis=-1))
        with pytest.raises(BundleError, match="test answers"):
            _check(folder, engine, encoder)

    def test_weights_of_another_head_are_refused(self, bundles: Path, engine: Engine, encoder: EncoderBundle) -> None:
        folder, other = serving_head(bundles, "sentiment"), serving_head(bundles, "severity")
        edit_tensors(folder, WEIGHTS_FILE, **_weights(other))
        with pytest.raises(BundleError, match="test answers"):
            _check(folder, engine, encoder)

    def test_weights_that_are_no_numbers_are_refused(
        self, bundles: Path, engine: Engine, encoder: EncoderBundle
    ) -> None:
        folder = serving_head(bundles, "classify")
        edit_tensors(folder, WEIGHTS_FILE, weight=np.full_like(_weights(folder)["weight"], np.nan))
        with pytest.raises(BundleError, match="test answers"):
            _check(folder, engine, encoder)

    @pytest.mark.parametrize("part", [np.s_[:1], np.s_[:, :1], np.s_[:5]], ids=["one text", "one label", "fewer texts"])
    def test_answers_of_another_shape_are_refused(
        self, bundles: Path, engine: Engine, encoder: EncoderBundle, part: tuple[slice, ...]
    ) -> None:
        folder = serving_head(bundles, "classify")
        edit_tensors(folder, TEST_ANSWERS_FILE, probabilities=_answers(folder)[part].copy())
        with pytest.raises(BundleError, match="shape"):
            _check(folder, engine, encoder)

    def test_rounding_of_another_processor_is_allowed(
        self, bundles: Path, engine: Engine, encoder: EncoderBundle
    ) -> None:
        folder = serving_head(bundles, "classify")
        edit_tensors(folder, TEST_ANSWERS_FILE, probabilities=_answers(folder) + np.float32(0.02))
        _check(folder, engine, encoder)


class TestLabels:
    @pytest.mark.parametrize("task", ["classify", "severity"])
    def test_a_customer_may_have_labels_of_their_own(self, bundles: Path, encoder: EncoderBundle, task: Task) -> None:
        folder = serving_head(bundles, task)
        own = tuple(f"自有{number}" for number in range(len(LABELS[task])))
        edit_bundle(folder, labels=own)
        assert Head.load(folder, encoder).bundle.labels == own

    @pytest.mark.parametrize("task", ["sentiment", "aspects"])
    def test_labels_that_the_interface_computes_with_are_fixed(
        self, bundles: Path, encoder: EncoderBundle, task: Task
    ) -> None:
        folder = serving_head(bundles, task)
        edit_bundle(folder, labels=[f"own {label}" for label in LABELS[task]])
        with pytest.raises(BundleError, match="labels"):
            Head.load(folder, encoder)

    @pytest.mark.parametrize("labels", [["fault", "fault", "question", "other"], ["fault"]], ids=["twice", "only one"])
    def test_fewer_than_two_different_labels_are_refused(
        self, bundles: Path, encoder: EncoderBundle, labels: list[str]
    ) -> None:
        folder = serving_head(bundles, "classify")
        edit_bundle(folder, labels=labels)
        with pytest.raises(BundleError, match="labels"):
            Head.load(folder, encoder)

    def test_a_label_without_weights_is_refused(self, bundles: Path, encoder: EncoderBundle) -> None:
        folder = serving_head(bundles, "classify")
        edit_bundle(folder, labels=[*LABELS["classify"], "complaint"])
        with pytest.raises(BundleError, match="5 rows"):
            Head.load(folder, encoder)

    @pytest.mark.parametrize(("task", "aspects"), [("aspects", ASPECTS[::-1]), ("aspects", ()), ("classify", ASPECTS)])
    def test_aspects_are_those_of_the_interface(
        self, bundles: Path, encoder: EncoderBundle, task: Task, aspects: tuple[str, ...]
    ) -> None:
        folder = serving_head(bundles, task)
        edit_bundle(folder, aspects=aspects)
        with pytest.raises(BundleError, match="aspects"):
            Head.load(folder, encoder)
