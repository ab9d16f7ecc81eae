import pytest

from training.data.example import UNKNOWN, Example, targets

TICKET = Example("t-1", "又卡死了", "tickets", {"classify": "fault", "severity": "degraded"})
REVIEW = Example("r-1", "很快,就是贵", "reviews", {"sentiment": "neutral"}, {"speed": "positive", "price": "negative"})


def test_the_target_of_a_task_is_the_place_of_its_label() -> None:
    assert (targets(TICKET, "classify"), targets(TICKET, "severity")) == ([0], [1])


def test_aspects_have_eight_targets_and_those_not_spoken_of_are_absent() -> None:
    # functions, ease of use, stability, speed, interface, price, customer service, privacy and security
    assert targets(REVIEW, "aspects") == [0, 0, 0, 3, 0, 1, 0, 0]


def test_a_text_that_speaks_of_no_aspect_is_still_labelled_by_aspect() -> None:
    assert targets(Example("r-2", "还行", "reviews", {}, {}), "aspects") == [0] * 8


def test_what_nobody_labelled_is_unknown() -> None:
    assert targets(TICKET, "sentiment") == [UNKNOWN]


def test_every_aspect_of_a_text_that_nobody_labelled_by_aspect_is_unknown() -> None:
    assert targets(TICKET, "aspects") == [UNKNOWN] * 8


def test_another_label_set_replaces_that_of_the_task() -> None:
    assert targets(TICKET, "classify", ("question", "fault")) == [1]


def test_a_label_outside_the_label_set_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        targets(TICKET, "classify", ("bug", "question"))


def test_a_text_is_known_to_be_labelled_for_its_tasks_alone() -> None:
    assert [task for task in ("sentiment", "classify", "severity", "aspects") if TICKET.has(task)] == [
        "classify",
        "severity",
    ]


def test_a_text_with_aspects_is_labelled_by_aspect() -> None:
    assert REVIEW.has("aspects")
