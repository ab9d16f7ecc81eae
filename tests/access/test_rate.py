"""How many requests a key may make."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nlp_service.access.rate import RateLimiter


class Watch:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def rates(watch: Watch) -> Iterator[RateLimiter]:
    limiter = RateLimiter(None, watch)
    yield limiter
    limiter.close()


def _refused(rates: RateLimiter, key: str, limit: int, requests: int) -> list[bool]:
    return [rates.take(key, limit).retry_after is not None for _ in range(requests)]


@pytest.mark.parametrize("limit", [1, 3, 7, 600, 10_000])
def test_as_many_as_the_limit_may_be_made_at_once_and_no_more(rates: RateLimiter, limit: int) -> None:
    assert _refused(rates, "k", limit, limit + 2) == [False] * limit + [True] * 2


def test_keys_do_not_count_for_each_other(rates: RateLimiter) -> None:
    assert _refused(rates, "one", 1, 2) == [False, True]
    assert _refused(rates, "other", 1, 1) == [False]


def test_what_remains_is_counted_down(rates: RateLimiter) -> None:
    assert [rates.take("k", 3).remaining for _ in range(4)] == [2, 1, 0, 0]


def test_one_more_may_be_made_when_it_was_said(rates: RateLimiter, watch: Watch) -> None:
    _refused(rates, "k", 4, 4)
    wait = rates.take("k", 4).retry_after
    assert wait == 15
    watch.now += wait
    assert _refused(rates, "k", 4, 2) == [False, True]


def test_before_that_none_may_be_made(rates: RateLimiter, watch: Watch) -> None:
    _refused(rates, "k", 4, 4)
    watch.now += 14
    assert _refused(rates, "k", 4, 1) == [True]


def test_after_a_minute_all_may_be_made_again(rates: RateLimiter, watch: Watch) -> None:
    _refused(rates, "k", 5, 9)
    watch.now += 60
    assert _refused(rates, "k", 5, 6) == [False] * 5 + [True]


def test_refused_requests_do_not_count(rates: RateLimiter, watch: Watch) -> None:
    _refused(rates, "k", 2, 100)
    watch.now += 30
    assert _refused(rates, "k", 2, 1) == [False]


def test_processes_with_one_folder_count_together(tmp_path: Path, watch: Watch) -> None:
    one, other = RateLimiter(tmp_path, watch), RateLimiter(tmp_path, watch)
    found = [limiter.take("k", 3).retry_after is not None for limiter in (one, other, one, other)]
    one.close()
    other.close()
    assert found == [False, False, False, True]


def test_the_headers_name_limit_window_rest_and_time(rates: RateLimiter) -> None:
    assert rates.take("k", 4).headers == {
        "RateLimit-Policy": '"requests";q=4;w=60',
        "RateLimit": '"requests";r=3;t=15',
    }


def test_the_headers_of_a_refusal_say_when_to_come_back(rates: RateLimiter) -> None:
    _refused(rates, "k", 1, 1)
    assert rates.take("k", 1).headers["Retry-After"] == "60"
