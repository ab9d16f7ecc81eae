import pytest

from training.audit.duplicates import Conflict, Duplicate, find_duplicates
from training.audit.entry import entries_of
from training.data.example import Example

from .texts import of_train, sentiment

ORIGINAL, SIMILAR = "导出报表一直转圈,等了半个小时还是不行", "导出报表一直转圈,等了半个小时也还是不行"


def duplicates(*texts: str) -> tuple[Duplicate, ...]:
    return find_duplicates(of_train(*(Example(text, text, "tickets") for text in texts))).duplicates


def conflicts(*examples: Example) -> tuple[Conflict, ...]:
    return find_duplicates(of_train(*examples)).conflicts


@pytest.mark.parametrize(
    ("left", "right"),
    [("APP闪退", "app闪退"), ("闪退!", "闪退!"), ("又 闪退\n了", "又闪退了"), ("Straße zu", "STRASSE ZU")],
    ids=["case", "width", "white space", "case folding"],
)
def test_texts_are_equal_but_for(left: str, right: str) -> None:
    (found,) = duplicates(left, right)
    assert (found.exact, found.similarity) == (True, 1.0)


def test_all_copies_of_a_text_are_one_duplicate() -> None:
    (found,) = duplicates("又卡了", "又卡了", "又卡了")
    assert len(found.entries) == 3


def test_similar_texts_are_given_with_their_similarity() -> None:
    (found,) = duplicates(ORIGINAL, SIMILAR)
    assert not found.exact
    assert found.similarity == pytest.approx(11 / 20)  # 15 and 16 grams, 11 in common


def test_different_texts_are_no_duplicates() -> None:
    assert duplicates("又闪退了", "希望增加深色模式") == ()


def test_blank_texts_are_no_duplicates() -> None:
    assert duplicates("", " ", "") == ()


def test_a_duplicate_leaks_when_it_stands_in_two_splits() -> None:
    entries = entries_of({"train": [Example("a", "又卡了", "t")], "test": [Example("b", "又卡了", "t")]})
    assert [found.leaks for found in find_duplicates(entries).duplicates] == [True]


def test_a_duplicate_within_a_split_does_not_leak() -> None:
    assert [found.leaks for found in duplicates("又卡了", "又卡了")] == [False]


@pytest.mark.parametrize(("text", "exact"), [(ORIGINAL, True), (SIMILAR, False)], ids=["equal", "similar"])
def test_duplicates_with_different_labels_are_a_conflict(text: str, exact: bool) -> None:
    (found,) = conflicts(sentiment("a", ORIGINAL, "negative"), sentiment("b", text, "neutral"))
    assert (found.question, found.labels, found.exact) == ("sentiment", ("negative", "neutral"), exact)


def test_a_conflict_names_one_text_for_each_label() -> None:
    labels = {"a": "negative", "b": "negative", "c": "positive"}
    (found,) = conflicts(*(sentiment(name, "还行吧", label) for name, label in labels.items()))
    assert [entry.example.id for entry in found.entries] == ["a", "c"]


def test_duplicates_with_the_same_label_are_no_conflict() -> None:
    assert conflicts(sentiment("a", "又卡了", "negative"), sentiment("b", "又卡了", "negative")) == ()


def test_labels_of_different_tasks_are_no_conflict() -> None:
    assert conflicts(sentiment("a", "又卡了", "negative"), Example("b", "又卡了", "t", {"classify": "fault"})) == ()


def test_aspects_conflict_one_by_one() -> None:
    left = Example("a", "快但是贵", "r", aspects={"price": "negative", "speed": "positive"})
    right = Example("b", "快但是贵", "r", aspects={"speed": "positive"})
    assert [(found.question, found.labels) for found in conflicts(left, right)] == [
        ("aspects/price", ("negative", "absent"))
    ]


def test_a_text_that_nobody_labelled_by_aspect_conflicts_with_none() -> None:
    assert conflicts(Example("a", "太贵了", "r", aspects={"price": "negative"}), Example("b", "太贵了", "t")) == ()


def test_duplicates_of_both_kinds_share_a_group() -> None:
    entries = of_train(*(Example(str(n), text, "t") for n, text in enumerate([ORIGINAL, "又卡了", SIMILAR, ORIGINAL])))
    first, other, similar, copy = find_duplicates(entries).groups
    assert (first == similar == copy, first == other) == (True, False)


def test_no_texts_have_no_duplicates() -> None:
    assert find_duplicates([]).groups == ()
