"""Triage: the table from label to tier, and what a low confidence adds."""

import pytest

from nlp_service.feedback.triage import REVIEW_REASON, triage
from nlp_service.inference.classification import Classification
from nlp_service.inference.engine import Engine

LABELS = ("fault", "feature_request", "question", "other")


def _classified(label: str, *, needs_review: bool = False) -> Classification:
    return Classification(label, 0.9, {label: 0.9}, needs_review)


@pytest.mark.parametrize(
    ("label", "tier", "priority", "respond", "resolve"),
    [
        ("fault", 2, "high", 15, 24 * 60),
        ("feature_request", 3, "normal", 60, 30 * 24 * 60),
        ("question", 1, "normal", 1, 60),
        ("other", 1, "low", 1, 24 * 60),
    ],
)
def test_a_label_has_its_tier_priority_and_promise(
    label: str, tier: int, priority: str, respond: int, resolve: int
) -> None:
    answer = triage(_classified(label))
    assert (answer.tier, answer.priority, answer.respond_within_minutes, answer.resolve_within_minutes) == (
        tier,
        priority,
        respond,
        resolve,
    )


@pytest.mark.parametrize(
    ("label", "team"),
    [
        ("fault", "technical-specialists"),
        ("feature_request", "product-experts"),
        ("question", "self-service"),
        ("other", "self-service"),
    ],
)
def test_a_label_has_its_team(label: str, team: str) -> None:
    assert triage(_classified(label)).team == team


@pytest.mark.parametrize("label", LABELS)
def test_a_sure_answer_has_one_reason(label: str) -> None:
    assert len(triage(_classified(label)).reasons) == 1


@pytest.mark.parametrize("label", LABELS)
def test_an_unsure_answer_has_review_as_a_second_reason(label: str) -> None:
    sure, unsure = triage(_classified(label)), triage(_classified(label, needs_review=True))
    assert unsure.reasons == [*sure.reasons, REVIEW_REASON]


@pytest.mark.parametrize("label", LABELS)
def test_an_unsure_answer_changes_nothing_else(label: str) -> None:
    sure, unsure = triage(_classified(label)), triage(_classified(label, needs_review=True))
    assert unsure.model_dump(exclude={"reasons"}) == sure.model_dump(exclude={"reasons"})


def test_every_label_of_the_model_has_a_row_of_its_own(engine: Engine) -> None:
    others = triage(_classified("自有类别"))
    for label in engine.model("classify").labels:
        assert triage(_classified(label)) != others


class TestLabelsOfACustomersOwn:
    @pytest.mark.parametrize("label", ["自有类别", "billing", "Fault", "fault ", "*", ""])
    def test_the_service_desk_answers(self, label: str) -> None:
        answer = triage(_classified(label))
        assert (answer.tier, answer.priority, answer.team) == (2, "normal", "service-desk")
        assert (answer.respond_within_minutes, answer.resolve_within_minutes) == (15, 24 * 60)

    def test_a_sure_answer_has_one_reason(self) -> None:
        assert len(triage(_classified("自有类别")).reasons) == 1

    def test_an_unsure_answer_has_review_as_a_second_reason(self) -> None:
        assert triage(_classified("自有类别", needs_review=True)).reasons[1:] == [REVIEW_REASON]
