"""When garbage is collected."""

import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from nlp_service.garbage import ENOUGH, FEW, TOO_MANY, collect_if_few, collect_seldom


class Node:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def _thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    collect_seldom()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize("requests", [0, FEW, FEW + 1])
def test_it_waits_until_few_requests_do(requests: int) -> None:
    node = ref(Node())
    kept = [[] for _ in range(2 * ENOUGH)]  # type: ignore[var-annotated]
    collect_if_few(lambda: requests)
    assert (node() is None) == (requests <= FEW)
    assert len(kept) == 2 * ENOUGH


def test_for_a_little_nobody_is_held_up() -> None:
    node = ref(Node())
    collect_if_few(lambda: 0)
    assert node() is not None


def test_too_much_does_not_wait() -> None:
    node = ref(Node())
    kept = [[] for _ in range(TOO_MANY + ENOUGH)]  # type: ignore[var-annotated]
    assert node() is None
    assert kept
