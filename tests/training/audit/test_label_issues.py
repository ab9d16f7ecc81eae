from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from training.audit.duplicates import find_duplicates
from training.audit.entry import Share, entries_of
from training.audit.label_issues import LabelIssues, label_issues
from training.data.example import Example

from .texts import encode, of_train, opinions, reviews, sentiment

WRONG = [sentiment(f"wrong-{place}", text, "positive") for place, text in enumerate(opinions("negative", 6, seed=9))]


def check(examples: Sequence[Example]) -> tuple[LabelIssues, ...]:
    entries = of_train(*examples)
    return label_issues(entries, find_duplicates(entries).groups, encode, seed=0)


def check_one(examples: Sequence[Example]) -> LabelIssues:
    (found,) = check(examples)
    return found


@pytest.fixture(scope="module")
def mislabelled() -> LabelIssues:
    return check_one([*reviews(40), *WRONG])


def suspected(found: LabelIssues) -> set[str]:
    return {suspect.entry.example.id for suspect in found.suspects}


def test_wrong_labels_are_suspected(mislabelled: LabelIssues) -> None:
    assert len(suspected(mislabelled) & {example.id for example in WRONG}) >= len(WRONG) / 2


def test_right_labels_beside_wrong_ones_are_not_suspected(mislabelled: LabelIssues) -> None:
    assert suspected(mislabelled) <= {example.id for example in WRONG}


def test_the_right_label_is_suggested(mislabelled: LabelIssues) -> None:
    assert {(suspect.given, suspect.suggested) for suspect in mislabelled.suspects} == {("positive", "negative")}


def test_suspects_stand_in_order_of_their_self_confidence(mislabelled: LabelIssues) -> None:
    confidences = [suspect.self_confidence for suspect in mislabelled.suspects]
    assert confidences == sorted(confidences)


def test_self_confidence_is_the_probability_of_the_given_label(mislabelled: LabelIssues) -> None:
    assert all(0 < suspect.self_confidence < 0.5 for suspect in mislabelled.suspects)


def test_each_class_has_its_share_of_suspects(mislabelled: LabelIssues) -> None:
    number = len(mislabelled.suspects)
    assert mislabelled.classes == {"negative": Share(0, 40), "neutral": Share(0, 40), "positive": Share(number, 46)}


def test_the_share_of_a_task_is_over_all_its_classes(mislabelled: LabelIssues) -> None:
    assert mislabelled.share == Share(len(mislabelled.suspects), 126)


def test_the_accuracy_is_that_of_the_given_labels(mislabelled: LabelIssues) -> None:
    assert mislabelled.accuracy == pytest.approx(120 / 126, abs=0.02)


def test_well_labelled_texts_are_not_suspected() -> None:
    assert check_one(reviews(30)).suspects == ()


def test_a_copy_with_the_same_wrong_label_does_not_hide_it() -> None:
    copies = [sentiment(f"{example.id}-copy", example.text, "positive") for example in WRONG]
    assert suspected(check_one([*reviews(40), *WRONG, *copies])) >= {WRONG[0].id, f"{WRONG[0].id}-copy"}


def test_texts_of_all_splits_are_checked() -> None:
    entries = entries_of({"train": reviews(20), "test": [*reviews(20, seed=1), WRONG[0]]})
    (found,) = label_issues(entries, find_duplicates(entries).groups, encode, seed=0)
    assert [(suspect.entry.split, suspect.entry.example.id) for suspect in found.suspects] == [("test", "wrong-0")]


def test_texts_that_no_tokenizer_takes_are_not_encoded() -> None:
    found = check_one([*reviews(10), sentiment("blank", " ", "neutral"), sentiment("half", "好\ud83d", "neutral")])
    assert found.share.whole == 30


def test_a_single_class_is_not_checked() -> None:
    examples = [sentiment(str(place), text, "negative") for place, text in enumerate(opinions("negative", 30))]
    assert "fewer than two classes" in str(check_one(examples).skipped)


def test_fewer_than_twenty_texts_are_not_checked() -> None:
    assert "fewer than 20 texts: 18" in str(check_one(reviews(6)).skipped)


def test_a_class_of_one_text_is_left_out() -> None:
    examples = [example for example in reviews(20) if example.labels["sentiment"] != "neutral"]
    found = check_one([*examples, sentiment("alone", "请问在哪", "neutral")])
    assert (found.left_out, list(found.classes)) == (("neutral",), ["negative", "positive"])


def test_a_class_of_copies_of_one_text_is_left_out() -> None:
    examples = [example for example in reviews(20) if example.labels["sentiment"] != "neutral"]
    found = check_one([*examples, *(sentiment(f"copy-{number}", "请问在哪", "neutral") for number in range(5))])
    assert found.left_out == ("neutral",)


def test_a_small_class_takes_fewer_folds() -> None:
    examples = [example for example in reviews(20) if example.labels["sentiment"] != "neutral"]
    few = [sentiment(f"few-{place}", text, "neutral") for place, text in enumerate(opinions("neutral", 3))]
    assert check_one([*examples, *few]).folds == 3


def test_texts_that_are_labelled_for_nothing_are_not_checked() -> None:
    assert check([Example("a", "好", "r")]) == ()


def priced(number_neutral: int) -> list[Example]:
    """Texts that speak well and badly of the price, 15 each; some neutrally, and 15 of something else."""
    numbers = {"negative": 15, "neutral": number_neutral, "positive": 15}
    spoken = [
        Example(f"{label}-{place}", f"价格{text}", "reviews", aspects={"price": label})
        for label, number in numbers.items()
        for place, text in enumerate(opinions(label, number))
    ]
    silent = [Example(f"silent-{place}", f"{place} Hello {place * 7919}", "reviews", aspects={}) for place in range(15)]
    return spoken + silent


def of_price(examples: Sequence[Example]) -> LabelIssues:
    return next(found for found in check(examples) if found.question == "aspects/price")


def test_an_aspect_is_one_choice_of_four() -> None:
    assert list(of_price(priced(15)).classes) == ["absent", "negative", "neutral", "positive"]


def test_an_aspect_with_a_small_class_is_not_checked() -> None:
    assert "neutral 9" in str(of_price(priced(9)).skipped)


def test_an_aspect_that_no_text_speaks_of_is_not_checked() -> None:
    (found,) = (found for found in check(priced(15)) if found.question == "aspects/speed")
    assert "fewer than two classes" in str(found.skipped)


def test_vectors_of_another_number_than_the_texts_are_refused() -> None:
    def one_short(texts: Sequence[str]) -> NDArray[np.float32]:
        return encode(texts)[1:]

    entries = of_train(*reviews(10))
    with pytest.raises(ValueError, match="30 texts gave an array of shape"):
        label_issues(entries, range(30), one_short, seed=0)
