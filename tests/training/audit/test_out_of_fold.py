import numpy as np
import pytest

from training.audit.out_of_fold import out_of_fold, stratified_folds

CLASSES = np.repeat([0, 1, 2], [30, 20, 10])
ALONE = np.arange(60)


def test_there_are_five_folds() -> None:
    assert len(stratified_folds(CLASSES, ALONE, seed=0)) == 5


def test_there_are_fewer_folds_when_a_class_is_small() -> None:
    assert len(stratified_folds(np.repeat([0, 1], [30, 3]), np.arange(33), seed=0)) == 3


def test_every_text_is_predicted_once() -> None:
    predicted = np.concatenate([test for _, test in stratified_folds(CLASSES, ALONE, seed=0)])
    assert sorted(predicted.tolist()) == list(range(60))


def test_no_text_is_trained_on_and_predicted_in_one_fold() -> None:
    assert not any(np.intersect1d(train, test).size for train, test in stratified_folds(CLASSES, ALONE, seed=0))


def test_every_fold_trains_on_and_predicts_every_class() -> None:
    folds = stratified_folds(CLASSES, ALONE, seed=0)
    assert all(set(CLASSES[rows]) == {0, 1, 2} for fold in folds for rows in fold)


def test_a_group_is_never_divided() -> None:
    groups = np.arange(60) // 2
    assert not any(
        np.intersect1d(groups[train], groups[test]).size for train, test in stratified_folds(CLASSES, groups, seed=0)
    )


def test_a_class_whose_texts_are_one_group_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 groups"):
        stratified_folds(np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 3]), seed=0)


def test_folds_are_the_same_for_the_same_seed() -> None:
    left, right = (stratified_folds(CLASSES, ALONE, seed=3) for _ in range(2))
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(left, right, strict=True))


def test_folds_differ_for_another_seed() -> None:
    left, right = (stratified_folds(CLASSES, ALONE, seed=seed) for seed in (3, 4))
    assert not all(np.array_equal(one[1], other[1]) for one, other in zip(left, right, strict=True))


def test_probabilities_are_those_of_the_classes() -> None:
    vectors = np.eye(3)[CLASSES] + np.random.default_rng(0).normal(scale=0.1, size=(60, 3))
    probabilities = out_of_fold(vectors, CLASSES, stratified_folds(CLASSES, ALONE, seed=0))
    assert (probabilities.shape, (probabilities.argmax(axis=1) == CLASSES).all()) == ((60, 3), True)


def test_the_label_of_a_text_does_not_reach_its_own_probabilities() -> None:
    # One text is nothing but itself: a classifier that had seen it would know its label.
    vectors = np.column_stack([np.random.default_rng(0).normal(size=(60, 2)), np.eye(60)[:, 0] * 100])
    folds = stratified_folds(CLASSES, ALONE, seed=0)
    relabelled = CLASSES.copy()
    relabelled[0] = 2
    given, changed = out_of_fold(vectors, CLASSES, folds)[0], out_of_fold(vectors, relabelled, folds)[0]
    assert np.allclose(given, changed)
