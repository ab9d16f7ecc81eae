"""Reciprocal rank fusion."""

import pytest

from nlp_service.knowledge.fusion import K, reciprocal_rank_fusion


def test_first_in_every_ranking_scores_one() -> None:
    assert dict(reciprocal_rank_fusion([[7, 8], [7, 9], [7]]))[7] == pytest.approx(1.0)


def test_a_score_is_the_sum_of_reciprocal_ranks_over_the_best_possible() -> None:
    scores = dict(reciprocal_rank_fusion([[1, 2], [3, 1]]))
    best = 2 / (K + 1)
    expected = {1: (1 / (K + 1) + 1 / (K + 2)) / best, 2: 1 / (K + 2) / best, 3: 1 / (K + 1) / best}
    assert scores == pytest.approx(expected)


def test_in_both_rankings_beats_first_in_one() -> None:
    assert reciprocal_rank_fusion([[1, 2, 3], [4, 2, 5]])[0][0] == 2


def test_equal_scores_come_in_order_of_id() -> None:
    assert [key for key, _ in reciprocal_rank_fusion([[9, 4], [4, 9]])] == [4, 9]


def test_an_empty_ranking_halves_the_scores_of_the_other() -> None:
    assert dict(reciprocal_rank_fusion([[5], []])) == pytest.approx({5: 0.5})


def test_every_id_occurs_once() -> None:
    fused = [key for key, _ in reciprocal_rank_fusion([[1, 2, 3], [3, 2, 1], [2, 4]])]
    assert sorted(fused) == [1, 2, 3, 4]


def test_a_small_k_favours_the_first_places() -> None:
    rankings = [[1, 2], [3, 2], [4, 2]]
    assert reciprocal_rank_fusion(rankings, k=0)[0][0] == 2
    assert dict(reciprocal_rank_fusion(rankings, k=0))[1] == pytest.approx(1 / 3)


@pytest.mark.parametrize("rankings", [[], [[]], [[], []]])
def test_nothing_found_fuses_to_nothing(rankings: list[list[int]]) -> None:
    assert reciprocal_rank_fusion(rankings) == []
