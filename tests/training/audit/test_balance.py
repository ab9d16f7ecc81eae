from collections.abc import Mapping

import pytest

from training.audit.balance import Balance, balances
from training.audit.entry import entries_of
from training.data.example import Example, Split

from .texts import sentiment

FULL = {"negative": 40, "neutral": 20, "positive": 30}


def of_labels(numbers: Mapping[str, int]) -> list[Example]:
    return [sentiment("x", "好", label) for label, number in numbers.items() for _ in range(number)]


def balance(train: Mapping[str, int], **held_out: Mapping[str, int]) -> Balance:
    splits: dict[Split, list[Example]] = {
        "train": of_labels(train),
        "validation": of_labels(held_out.get("validation", {})),
        "test": of_labels(held_out.get("test", {})),
    }
    (found,) = balances(entries_of(splits))
    return found


def test_each_class_is_counted_by_split() -> None:
    assert balance(FULL, test={"neutral": 3}).classes["neutral"] == {"train": 20, "validation": 0, "test": 3}


def test_the_ratio_is_the_smallest_class_over_the_largest() -> None:
    assert balance(FULL).ratio == 0.5


def test_the_ratio_is_of_the_training_texts() -> None:
    assert balance(FULL, test={"negative": 1000}).ratio == 0.5


def test_a_class_of_the_label_set_that_nobody_gave_counts_as_empty() -> None:
    assert balance({"negative": 40, "positive": 40}).ratio == 0.0


def test_without_training_texts_there_is_no_ratio() -> None:
    assert balance({}, test=FULL).ratio is None


def test_a_class_under_twenty_training_texts_is_rare() -> None:
    assert balance({**FULL, "positive": 19}).rare == ("positive",)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_class_without_texts_in_a_held_out_split_is_missing(split: Split) -> None:
    assert balance(FULL, **{split: {"negative": 1, "positive": 1}}).missing == {split: ("neutral",)}


def test_nothing_is_missing_from_a_split_without_texts() -> None:
    assert balance(FULL).missing == {}


def test_other_label_sets_are_taken_from_the_texts() -> None:
    assert tuple(balance({"bad": 1, "good": 2}).classes) == ("bad", "good")


def test_a_task_that_no_text_is_labelled_for_has_no_balance() -> None:
    assert balances(entries_of({"train": [Example("a", "好", "r")]})) == ()


def test_the_ratio_of_an_aspect_leaves_out_texts_that_do_not_speak_of_it() -> None:
    polarities = ["negative"] * 4 + ["neutral"] * 2 + ["positive"] * 3
    spoken = [Example("a", "贵", "r", aspects={"price": polarity}) for polarity in polarities]
    silent = [Example("b", "好", "r", aspects={})] * 50
    found = {balance.question: balance for balance in balances(entries_of({"train": spoken + silent}))}
    assert (found["aspects/price"].ratio, found["aspects/price"].classes["absent"]["train"]) == (0.5, 50)
