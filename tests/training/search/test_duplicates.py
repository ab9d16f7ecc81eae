"""Fitting and measuring when a ticket repeats another, on vectors whose cosines are known."""

import numpy as np
import pytest

from nlp_service.knowledge.likeness import Likeness
from training.data.sources import DataError
from training.search.duplicates import Repeat, Text, agreement, b_cubed, fit_likeness, pair_table, wording_pairs
from training.search.pairs import Wordings, split_of

NEVER = Likeness(cosine=0.0, length=0.0, same_label=0.0, intercept=-9.0)
ALWAYS = Likeness(cosine=0.0, length=0.0, same_label=0.0, intercept=9.0)
IDS = [f"r-{number}" for number in range(40)]


def _text(name: str, cosine: float, label: str = "fault") -> Text:
    """One whose vector has this cosine to that of a text of cosine 1."""
    return Text(name, label, np.array([cosine, np.sqrt(1 - cosine**2)], np.float32))


def _tickets(number: str = "t") -> list[tuple[str, Text]]:
    return [(number, _text("导出超时", 1.0)), (f"{number}-2", _text("打不开", 0.1)), (f"{number}-3", _text("卡", 0.2))]


def _repeats() -> list[tuple[Repeat, Text, Text]]:
    return [
        (Repeat(id=name, ticket="t", same="导不出", different="导入"), _text("导不出", 0.95), _text("导入", 0.6))
        for name in IDS
    ]


def test_a_repeat_is_paired_with_every_ticket_of_its_product() -> None:
    table = pair_table({"p": _tickets(), "q": _tickets("u")}, _repeats()[:1])
    assert {group: int((table.group == group).sum()) for group in ("repeat", "look-alike", "other", "tickets")} == {
        "repeat": 1,
        "look-alike": 1,
        "other": 4,
        "tickets": 6,
    }


def test_tickets_without_content_are_not_paired() -> None:
    table = pair_table({"p": [("t", _text("在吗", 1.0, "other")), ("u", _text("打不开", 0.5))]}, [])
    assert len(table.cosines) == 0


def test_only_the_training_split_is_fitted_on() -> None:
    table = pair_table({"p": _tickets()}, _repeats())
    assert table.fitted[table.same].tolist() == [split_of(name) == "train" for name in IDS]


def test_a_ticket_that_does_not_exist_is_named() -> None:
    repeat = Repeat(id="r-1", ticket="gone", same="导不出", different="导入")
    with pytest.raises(DataError, match="gone"):
        pair_table({"p": _tickets()}, [(repeat, _text("导不出", 0.9), _text("导入", 0.6))])


def test_what_is_fitted_tells_repeats_from_others() -> None:
    table = pair_table({"p": _tickets()}, _repeats())
    likeness = fit_likeness(table)
    probabilities = table.probabilities(likeness)
    assert probabilities[table.same].min() > 0.9
    assert probabilities[~table.same].max() < 0.1


@pytest.mark.parametrize(("likeness", "precision", "recall"), [(NEVER, 0.0, 0.0), (ALWAYS, 1 / 6, 1.0)])
def test_precision_counts_what_is_named_and_recall_what_there_is(
    likeness: Likeness, precision: float, recall: float
) -> None:
    one = agreement(pair_table({"p": _tickets()}, _repeats()), likeness, 0.5, 3, fitted=True)
    assert [one.precision, one.recall] == pytest.approx([precision, recall])


def test_false_alarms_are_counted_for_each_ticket() -> None:
    table = pair_table({"p": _tickets()}, [])
    alarms = [agreement(table, ALWAYS, 0.5, 3, fitted=fitted).false_alarms for fitted in (True, False)]
    assert sorted(alarms) == [0.0, 1.0]


def test_more_tickets_beside_it_make_fewer_named_ones_right() -> None:
    table = pair_table({"p": _tickets()}, _repeats())
    fitted = bool(table.fitted[table.group == "tickets"][0])
    one = agreement(table, ALWAYS, 0.5, 3, fitted=fitted)
    assert one.expected_precision(1) == pytest.approx(0.25 / 1.25)
    assert one.expected_precision(25) < one.expected_precision(1)


def test_wordings_are_paired_with_look_alikes_and_the_nearest_of_other_groups() -> None:
    groups = [
        Wordings(id="w-1", field="x", same=("甲", "乙"), different=("丙",)),
        Wordings(id="w-2", field="x", same=("丁", "戊")),
    ]
    cosines = {"甲": 1.0, "乙": 0.9, "丙": 0.8, "丁": 0.7, "戊": 0.1}
    table = wording_pairs(groups, lambda text: _text(text, cosines[text]), nearest=1)
    assert [int((table.group == group).sum()) for group in ("repeat", "look-alike", "other")] == [2, 2, 4]


def test_b_cubed_of_one_group_for_all_is_whole_in_recall_alone() -> None:
    assert list(b_cubed([0, 0, 1, 1], [np.arange(4)])) == pytest.approx([0.5, 1.0, 2 / 3])


def test_b_cubed_of_every_text_alone_is_whole_in_precision_alone() -> None:
    assert b_cubed([0, 0, 1, 1], [np.array([place]) for place in range(4)])[:2] == (1.0, 0.5)
