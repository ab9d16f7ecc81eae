"""What may be taken in: texts without personal data, a state that is whole, moments that have passed."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from nlp_service.feedback.record import FeedbackItem
from nlp_service.knowledge.clock import utc_now
from tests.feedback.conftest import SOLVED, new_item

PHONE, MASKED = "请回电 13812345678", "请回电 138****5678"


def _refused(**changes: object) -> tuple[str, str]:
    """Field and message of the one rule that a ticket with `changes` breaks."""
    with pytest.raises(ValidationError) as caught:
        new_item(**changes)
    (error,) = caught.value.errors()
    return ".".join(map(str, error["loc"])), error["msg"]


@pytest.mark.parametrize("field", ["text", "product", "module", "scenario", "reported_as"])
def test_personal_data_in_a_text_is_masked(field: str) -> None:
    assert getattr(new_item(**{field: PHONE}), field) == MASKED


def test_personal_data_in_a_solution_is_masked() -> None:
    assert new_item(status="solved", solution=PHONE).solution == MASKED


@pytest.mark.parametrize("field", ["customer_id", "external_id"])
@pytest.mark.parametrize("value", ["13812345678", "zhang@example.com"])
def test_a_key_that_is_personal_data_is_refused(field: str, value: str) -> None:
    assert _refused(**{field: value})[0] == field


def test_a_customer_is_kept_as_given() -> None:
    assert new_item(customer_id="Kunde/7 甲").customer_id == "Kunde/7 甲"


class TestState:
    def test_a_ticket_is_open_unless_it_says_otherwise(self) -> None:
        assert new_item().status == "open"

    def test_a_solved_ticket_needs_its_solution(self) -> None:
        field, message = _refused(status="solved")
        assert (field, "is required when the status is solved" in message) == ("solution", True)

    def test_an_open_ticket_has_no_solution(self) -> None:
        assert _refused(solution="重启")[0] == "solution"

    def test_an_open_ticket_has_no_moment_of_its_solution(self) -> None:
        assert _refused(solved_at="2025-10-01")[0] == "solved_at"

    def test_a_review_cannot_be_solved(self) -> None:
        assert _refused(kind="review", **SOLVED)[0] == "status"

    def test_no_ticket_is_solved_before_it_was_written(self) -> None:
        moments = {"created_at": "2025-10-02", "solved_at": "2025-10-01"}
        assert _refused(**SOLVED, **moments)[0] == "solved_at"


class TestMoments:
    @pytest.mark.parametrize(
        "given", ["2025-10-01T08:00:00", "2025-10-01T16:00:00+08:00", "2025-10-01T08:00:00Z", " 2025-10-01 08:00"]
    )
    def test_a_moment_is_in_utc_whatever_its_zone(self, given: str) -> None:
        assert new_item(created_at=given).created_at == datetime(2025, 10, 1, 8, tzinfo=UTC)

    @pytest.mark.parametrize("given", ["", "gestern", "2025-13-01", 1759305600, True, "0001-01-01T00:00:00+14:00"])
    def test_what_is_no_moment_is_refused(self, given: object) -> None:
        field, message = _refused(created_at=given)
        assert (field, "ISO 8601" in message) == ("created_at", True)

    def test_more_than_a_day_ahead_is_refused(self) -> None:
        field, message = _refused(created_at=(utc_now() + timedelta(days=1, minutes=1)).isoformat())
        assert (field, "more than 1 day in the future" in message) == ("created_at", True)

    def test_a_clock_that_is_some_hours_ahead_is_not(self) -> None:
        ahead = utc_now() + timedelta(hours=23)
        assert new_item(created_at=ahead.isoformat()).created_at == ahead


@pytest.mark.parametrize("rating", [0, 6, True, "5", 4.5])
def test_a_rating_is_a_whole_number_from_1_to_5(rating: object) -> None:
    assert _refused(rating=rating)[0] == "rating"


@pytest.mark.parametrize("rating", [1, 5, None])
def test_a_rating_within_the_limits_is_taken(rating: int | None) -> None:
    assert new_item(rating=rating).rating == rating


def test_a_scenario_that_is_null_is_empty() -> None:
    assert new_item(scenario=None).scenario == ""


@pytest.mark.parametrize("field", ["id", "label", "duplicates"])
def test_an_unknown_field_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        FeedbackItem.model_validate({"kind": "ticket", "text": "超时", field: "1"})
