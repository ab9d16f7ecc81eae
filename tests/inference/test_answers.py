"""From probabilities to answers: sentiment and classes."""

import pytest

from nlp_service.inference.classification import classifications
from nlp_service.inference.sentiment import sentiments
from tests.inference.heads import chosen_head, logits


class TestClassification:
    def test_the_label_is_the_most_probable_one(self) -> None:
        answers = classifications(chosen_head("severity"), logits([0.1, 0.7, 0.2], [0.6, 0.3, 0.1]))
        assert [answer.label for answer in answers] == ["degraded", "blocking"]

    def test_confidence_is_the_probability_of_the_label(self) -> None:
        (answer,) = classifications(chosen_head("severity"), logits([0.1, 0.7, 0.2]))
        assert answer.confidence == answer.probabilities["degraded"] == pytest.approx(0.7)

    def test_probabilities_are_named(self) -> None:
        (answer,) = classifications(chosen_head("severity"), logits([0.1, 0.7, 0.2]))
        assert answer.probabilities == pytest.approx({"blocking": 0.1, "degraded": 0.7, "minor": 0.2})

    @pytest.mark.parametrize(("threshold", "review"), [(0.69, False), (0.71, True)])
    def test_a_confidence_below_the_threshold_needs_review(self, threshold: float, review: bool) -> None:
        head = chosen_head("severity", review_threshold=threshold)
        assert classifications(head, logits([0.1, 0.7, 0.2]))[0].needs_review is review


class TestSentiment:
    @pytest.mark.parametrize(
        ("probabilities", "label"),
        [([0.5, 0.2, 0.3], "negative"), ([0.3, 0.4, 0.3], "neutral"), ([0.1, 0.1, 0.8], "positive")],
    )
    def test_the_label_is_the_most_probable_one(self, probabilities: list[float], label: str) -> None:
        assert sentiments(chosen_head("sentiment"), logits(probabilities))[0].label == label

    def test_score_is_positive_minus_negative(self) -> None:
        (answer,) = sentiments(chosen_head("sentiment"), logits([0.5, 0.2, 0.3]))
        assert answer.score == pytest.approx(-0.2)

    @pytest.mark.parametrize(("threshold", "review"), [(0.49, False), (0.51, True)])
    def test_a_confidence_below_the_threshold_needs_review(self, threshold: float, review: bool) -> None:
        head = chosen_head("sentiment", review_threshold=threshold)
        assert sentiments(head, logits([0.5, 0.2, 0.3]))[0].needs_review is review
