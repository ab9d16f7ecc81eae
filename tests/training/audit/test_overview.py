from training.audit.entry import Share, entries_of
from training.audit.overview import Lengths, Opening, overview
from training.data.example import Example, Split

from .texts import of_train


def example(text: str, **slices: str) -> Example:
    return Example(text, text, "tickets", slices=slices)


def test_texts_are_counted_by_split() -> None:
    entries = entries_of({"train": [example("一"), example("二")], "test": [example("三")]})
    assert overview(entries).texts == {"train": 2, "validation": 0, "test": 1}


def test_sources_are_counted_by_split() -> None:
    entries = entries_of({"train": [example("一")], "test": [Example("r", "好", "reviews")]})
    assert overview(entries).sources == {
        "reviews": {"train": 0, "validation": 0, "test": 1},
        "tickets": {"train": 1, "validation": 0, "test": 0},
    }


def test_texts_without_a_language_are_not_counted_by_language() -> None:
    found = overview(of_train(example("hello", language="en"), example("你好")))
    assert found.languages == {"en": {"train": 1, "validation": 0, "test": 0}}


def test_channels_are_counted_by_split() -> None:
    assert overview(of_train(example("喂", channel="call"))).channels["call"]["train"] == 1


def test_lengths_are_in_characters() -> None:
    texts = [example("字" * length) for length in range(1, 12)]
    assert overview(of_train(*texts)).lengths["train"] == Lengths(1, 6.0, 10.0, 11)


def test_a_split_without_texts_has_no_lengths() -> None:
    splits: list[Split] = list(overview(of_train(example("一"))).lengths)
    assert splits == ["train"]


def test_the_hard_share_is_of_the_texts_that_are_rated() -> None:
    found = overview(of_train(example("一", hard="hard"), example("二", hard="plain"), example("三")))
    assert found.hard["train"] == Share(1, 2)


def test_the_share_of_nothing_is_zero() -> None:
    assert Share(0, 0).value == 0.0


def test_openings_are_the_first_four_characters_with_their_share() -> None:
    found = overview(of_train(example("请问怎么退"), example(" 请问怎么改"), example("闪退了又闪退")))
    assert found.openings == (Opening("请问怎么", Share(2, 3)),)


def test_the_ten_most_repeated_openings_are_given_most_frequent_first() -> None:
    texts = [example(f"开头{number:02d}{'之' * copy}") for number in range(12) for copy in range(number + 2)]
    openings = overview(of_train(*texts)).openings
    assert [opening.characters for opening in openings] == [f"开头{number:02d}" for number in range(11, 1, -1)]
