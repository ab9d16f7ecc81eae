"""A queue absorbs a burst, and is kept short in an overload that lasts: simulated, a second is a second."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.errors import Overloaded
from nlp_service.patience import Patience

LONGEST, STANDING = 2.0, 0.25
RATE = 100
"""Answers a second."""


def _waits(arrivals: list[float], patience: Patience) -> list[float | None]:
    """What each of those that come at the given times waits for, None when it is refused; one after the other."""
    waiting: deque[float] = deque()  # when each begins
    free, waits = 0.0, list[float | None]()
    for now in arrivals:
        while waiting and waiting[0] <= now:
            waiting.popleft()
        begins = max(free, now)
        try:
            patience.check(begins - now, now, empty=not waiting)
        except Overloaded:
            waits.append(None)
            continue
        patience.comes(now, first=not waiting)
        waiting.append(begins)
        free = begins + 1 / RATE
        waits.append(begins - now)
    return waits


def test_a_burst_is_accepted() -> None:
    burst = _waits([0.0] * round(LONGEST * RATE), Patience(LONGEST, STANDING))
    assert None not in burst


def test_a_burst_is_followed_by_another_when_the_queue_was_empty_between() -> None:
    size = round(LONGEST * RATE)
    bursts = _waits([0.0] * size + [LONGEST + 0.1] * size, Patience(LONGEST, STANDING))
    assert None not in bursts


@pytest.mark.parametrize("load", [1.2, 2, 3])
def test_an_overload_that_lasts_leaves_short_waits(load: float) -> None:
    arrivals = [number / (load * RATE) for number in range(round(20 * load * RATE))]
    waits = _waits(arrivals, Patience(LONGEST, STANDING))
    later = [wait for arrived, wait in zip(arrivals, waits, strict=True) if arrived > 4 * LONGEST]
    accepted = [wait for wait in later if wait is not None]
    assert max(accepted) <= STANDING
    assert len(accepted) == pytest.approx(RATE * (20 - 4 * LONGEST), rel=0.02), "as many as can be answered"


def test_after_an_overload_a_burst_is_accepted_again() -> None:
    overload = [number / (3 * RATE) for number in range(30 * RATE)]
    calm = [10.0 + number / (0.5 * RATE) for number in range(round(3 * LONGEST * RATE * 0.5))]
    burst = [10.0 + 3 * LONGEST] * round(LONGEST * RATE)
    waits = _waits([*overload, *calm, *burst], Patience(LONGEST, STANDING))
    assert None in waits[: len(overload)]
    assert None not in waits[len(overload) :]


def test_an_overload_lasts_also_when_the_queue_was_empty_for_a_moment() -> None:
    patience = Patience(LONGEST, STANDING)
    patience.comes(0.0, first=True)
    patience.comes(2.9, first=False)
    with pytest.raises(Overloaded):
        patience.check(2 * STANDING, 3.0, empty=False)
    patience.comes(3.1, first=True)
    with pytest.raises(Overloaded):
        patience.check(2 * STANDING, 3.2, empty=False)


def test_bursts_with_pauses_between_are_no_overload_that_lasts() -> None:
    """Those of a caller that obeys Retry-After, behind an overload: two bursts in three seconds, each of a second."""
    overload = [number / (3 * RATE) for number in range(10 * RATE)]
    bursts = [5.0 + 1.5 * number for number in range(10) for _ in range(RATE)]
    waits = _waits([*overload, *bursts], Patience(LONGEST, STANDING))
    assert None in waits[: len(overload)]
    assert None not in waits[len(overload) + RATE :]


def test_it_may_be_told_to_know_no_difference() -> None:
    patience = Patience(LONGEST)
    patience.comes(0.0, first=True)
    patience.check(LONGEST, 1e9, empty=False)


def test_who_comes_to_an_empty_queue_does_not_wait_for_others() -> None:
    """Though what is computed takes longer than a queue that stands may: else nothing would be computed after it."""
    patience = Patience(LONGEST, STANDING)
    with pytest.raises(Overloaded):
        patience.check(2 * STANDING, 3.0, empty=False)
    patience.check(2 * STANDING, 3.1, empty=True)
    with pytest.raises(Overloaded):
        patience.check(2 * LONGEST, 3.1, empty=True)


def test_nobody_waits_longer_in_a_queue_that_stands() -> None:
    patience = Patience(0.1, 5.0)
    patience.comes(0.0, first=True)
    with pytest.raises(Overloaded):
        patience.check(0.2, 60.0, empty=False)


@given(st.lists(st.floats(0, 30), min_size=1).map(sorted))
def test_nobody_waits_longer_than_the_longest(arrivals: list[float]) -> None:
    waits = _waits(arrivals * 20 if len(arrivals) == 1 else arrivals, Patience(LONGEST, STANDING))
    assert all(wait is None or wait <= LONGEST for wait in waits)
