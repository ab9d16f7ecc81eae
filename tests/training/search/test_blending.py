"""Between the plain and the tuned encoder."""

import numpy as np
import pytest

from training.search.blending import Blend, best_blend, blend

PLAIN = Blend(0.0, reciprocal_rank=0.80, separation=0.5)


@pytest.mark.parametrize(("share", "expected"), [(0.0, [0, 2]), (0.25, [1, 1]), (1.0, [4, -2])])
def test_a_blend_lies_between_the_plain_and_the_tuned_weights(share: float, expected: list[float]) -> None:
    plain, tuned = ({"w": np.array(values, np.float32)} for values in ([0, 2], [4, -2]))
    found = blend(plain, tuned, share)["w"]
    assert (found.tolist(), found.dtype.name) == (expected, "float32")


def test_a_weight_that_only_the_tuned_encoder_has_is_no_part_of_the_blend() -> None:
    weight = np.zeros(2, np.float32)
    assert blend({"w": weight}, {"w": weight, "pooler": weight}, 0.5).keys() == {"w"}


def test_finding_more_articles_decides() -> None:
    found = best_blend([PLAIN, Blend(0.5, 0.85, 0.9), Blend(1.0, 0.90, 0.7)])
    assert found.share == 1.0


def test_of_blends_that_find_alike_the_one_that_separates_best_is_taken() -> None:
    found = best_blend([PLAIN, Blend(0.25, 0.90, 0.6), Blend(0.5, 0.895, 0.7), Blend(1.0, 0.88, 0.9)])
    assert found.share == 0.5


def test_a_tuned_encoder_that_finds_no_more_is_not_taken() -> None:
    assert best_blend([PLAIN, Blend(0.5, 0.80, 0.9), Blend(1.0, 0.7, 0.9)]) is PLAIN
