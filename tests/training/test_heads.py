import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.inference.head import softmax
from training.data.example import UNKNOWN
from training.heads import STRENGTHS, Classes, LinearHead, Vectors, fit_head

DIMENSION, LABELS = 6, 3
GENERATOR = np.random.default_rng(4)
CENTRES = GENERATOR.normal(0, 3, (LABELS, DIMENSION))


def sample(count: int, classes: int = LABELS, noise: float = 0.5) -> tuple[Vectors, Classes]:
    """Vectors around the centre of their class, and the classes, shape (count, 1)."""
    truth = np.arange(count, dtype=np.int64) % classes
    vectors = CENTRES[truth] + GENERATOR.normal(0, noise, (count, DIMENSION))
    return vectors.astype(np.float32), truth[:, None]


def probabilities(head: LinearHead, vectors: Vectors) -> NDArray[np.float32]:
    return softmax(head.logits(vectors))


def fitted(train: tuple[Vectors, Classes], validation: tuple[Vectors, Classes], labels: int = LABELS) -> LinearHead:
    return fit_head(*train, *validation, labels)


TRAIN, VALIDATION, TEST = sample(90), sample(30), sample(60)
HEAD = fitted(TRAIN, VALIDATION)


def test_classes_that_lie_apart_are_told_apart() -> None:
    assert (HEAD.logits(TEST[0]).argmax(-1) == TEST[1]).all()


def test_the_weights_are_in_float32() -> None:
    assert {HEAD.weight.dtype.name, HEAD.bias.dtype.name} == {"float32"}


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_text_has_a_logit_for_each_label_of_each_output(count: int) -> None:
    head = LinearHead(np.zeros((8 * 4, DIMENSION), np.float32), np.zeros(8 * 4, np.float32), outputs=8)
    assert head.logits(np.zeros((count, DIMENSION), np.float32)).shape == (count, 8, 4)


def test_neither_the_scale_nor_the_place_of_the_vectors_matters() -> None:
    def moved(vectors: Vectors) -> Vectors:
        return vectors * np.float32(50) + np.float32(3)

    head = fitted((moved(TRAIN[0]), TRAIN[1]), (moved(VALIDATION[0]), VALIDATION[1]))
    np.testing.assert_allclose(probabilities(head, moved(TEST[0])), probabilities(HEAD, TEST[0]), atol=1e-3)


def test_outputs_are_fitted_each_for_itself() -> None:
    def twice(part: tuple[Vectors, Classes]) -> tuple[Vectors, Classes]:
        return part[0], np.concatenate([part[1], (part[1] + 1) % LABELS], axis=1)

    head = fitted(twice(TRAIN), twice(VALIDATION))
    np.testing.assert_array_equal(head.logits(TEST[0]).argmax(-1), twice(TEST)[1])


def test_texts_that_nobody_labelled_are_left_out() -> None:
    unlabelled = np.full_like(TRAIN[1], UNKNOWN)
    both = np.concatenate([TRAIN[0], TRAIN[0]]), np.concatenate([TRAIN[1], unlabelled])
    np.testing.assert_allclose(fitted(both, VALIDATION).weight, HEAD.weight, atol=1e-5)


def test_validation_texts_that_nobody_labelled_are_left_out() -> None:
    unlabelled = np.full_like(VALIDATION[1], UNKNOWN)
    both = np.concatenate([VALIDATION[0]] * 2), np.concatenate([VALIDATION[1], unlabelled])
    np.testing.assert_array_equal(fitted(TRAIN, both).weight, HEAD.weight)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_that_was_never_seen_is_never_expected(classes: int) -> None:
    head = fitted(sample(60, classes), sample(30, classes), labels=4)
    assert probabilities(head, TEST[0])[..., classes:].max() < 1e-4


def test_two_seen_classes_get_the_probabilities_of_the_binary_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    train, validation = sample(60, 2, noise=4), sample(30, 2, noise=4)
    head = fitted(train, validation, labels=2)
    scaled = (train[0] - train[0].mean(0)) / train[0].std(0)
    models = [LogisticRegression(C=strength, max_iter=2000).fit(scaled, train[1][:, 0]) for strength in STRENGTHS]
    found = probabilities(head, train[0])[:, 0]
    assert min(float(np.abs(found - model.predict_proba(scaled)).max()) for model in models) < 1e-3


def test_one_seen_class_is_always_answered() -> None:
    train = TRAIN[0], np.full_like(TRAIN[1], 1)
    assert (fitted(train, VALIDATION).logits(TEST[0]).argmax(-1) == 1).all()


def test_a_head_without_a_labelled_text_expects_every_class_alike() -> None:
    train = TRAIN[0], np.full_like(TRAIN[1], UNKNOWN)
    np.testing.assert_allclose(probabilities(fitted(train, VALIDATION), TEST[0]), 1 / LABELS, rtol=1e-5)


@pytest.mark.parametrize("noise", [0.5, 6.0], ids=["clear", "noisy"])
def test_the_strength_with_the_lowest_validation_loss_is_chosen(noise: float) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    train, validation = sample(60, noise=noise), sample(300, noise=noise)
    mean, spread = train[0].mean(0), train[0].std(0)
    losses = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=2000).fit((train[0] - mean) / spread, train[1][:, 0])
        losses.append(log_loss(validation[1][:, 0], model.predict_proba((validation[0] - mean) / spread)))
    assert max(losses) > 1.05 * min(losses)
    found = log_loss(validation[1][:, 0], probabilities(fitted(train, validation), validation[0])[:, 0])
    assert found == pytest.approx(min(losses), rel=1e-3)


def test_a_head_is_fitted_without_validation_texts_too() -> None:
    nothing = np.empty((0, DIMENSION), np.float32), np.empty((0, 1), np.int64)
    assert (fitted(TRAIN, nothing).logits(TEST[0]).argmax(-1) == TEST[1]).all()
