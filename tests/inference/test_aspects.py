"""Aspects: which ones a text speaks of, and how."""

import pytest

from nlp_service.inference.aspects import AspectOpinion, aspect_opinions
from nlp_service.inference.head import ASPECTS
from tests.inference.heads import chosen_head, logits

ABSENT = [0.97, 0.01, 0.01, 0.01]


def _opinions(presence_threshold: float = 0.5, **rows: list[float]) -> list[AspectOpinion]:
    text = [rows.get(aspect, ABSENT) for aspect in ASPECTS]
    (opinions,) = aspect_opinions(chosen_head("aspects", presence_threshold=presence_threshold), logits(text))
    return opinions


def test_a_text_that_speaks_of_nothing_has_no_aspects() -> None:
    assert _opinions() == []


def test_an_aspect_that_is_spoken_of_has_the_most_probable_opinion() -> None:
    (opinion,) = _opinions(price=[0.1, 0.2, 0.3, 0.4])
    assert (opinion.aspect, opinion.label) == ("price", "positive")


def test_confidence_is_the_probability_of_the_opinion() -> None:
    (opinion,) = _opinions(price=[0.1, 0.2, 0.3, 0.4])
    assert opinion.confidence == pytest.approx(0.4)


def test_an_aspect_may_be_spoken_of_though_absent_is_the_most_probable_label() -> None:
    (opinion,) = _opinions(price=[0.4, 0.35, 0.15, 0.1])
    assert (opinion.aspect, opinion.label) == ("price", "negative")


@pytest.mark.parametrize(("threshold", "count"), [(0.29, 1), (0.31, 0)])
def test_an_aspect_is_spoken_of_from_the_threshold_on(threshold: float, count: int) -> None:
    assert len(_opinions(threshold, speed=[0.7, 0.2, 0.05, 0.05])) == count


def test_the_surest_comes_first() -> None:
    found = _opinions(functions=[0.2, 0.5, 0.2, 0.1], speed=[0.05, 0.9, 0.03, 0.02], price=[0.2, 0.1, 0.1, 0.6])
    assert [opinion.aspect for opinion in found] == ["speed", "price", "functions"]


def test_each_text_has_aspects_of_its_own() -> None:
    speaks = [[0.1, 0.7, 0.1, 0.1] if aspect == "price" else ABSENT for aspect in ASPECTS]
    silent = [ABSENT] * len(ASPECTS)
    found = aspect_opinions(chosen_head("aspects"), logits(silent, speaks))
    assert [[opinion.aspect for opinion in opinions] for opinions in found] == [[], ["price"]]
