"""What an encoder computes next: in turns, in lanes, of similar length, each window once."""

from collections.abc import Sequence
from contextvars import copy_context

import numpy as np
import pytest

from nlp_service.inference.padding import BATCH_TOKENS, Packing
from nlp_service.inference.waiting import OVERTAKEN, Job, Lane, Request, Waiting
from nlp_service.inference.windows import Window

NOW = 100.0
_next_token = iter(range(10, 10_000_000))


def _request(
    lengths: Sequence[int], lane: Lane = "interactive", *, latest: float = NOW + 1, like: Request | None = None
) -> Request:
    """Windows of these lengths that nobody else has; or the same windows as another request's."""
    windows = [Window(row, tuple(next(_next_token) for _ in range(length))) for row, length in enumerate(lengths)]
    windows = list(like.windows) if like is not None else windows
    return Request(
        windows, len(windows), lane, NOW, latest, np.zeros((len(windows), 1), dtype=np.float32), copy_context()
    )


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def _owners(jobs: Sequence[Job]) -> list[Request]:
    return [job.waiters[0][0] for job in jobs]


def _take_all(waiting: Waiting) -> list[list[Job]]:
    batches = []
    while waiting:
        batches.append(waiting.take(NOW).jobs)
    return batches


class TestTurns:
    def test_a_request_of_many_does_not_hold_up_a_single_one(self, waiting: Waiting) -> None:
        many, single = _request([100] * 50), _request([100])
        waiting.add(many, {})
        waiting.add(single, {})
        assert single in _owners(waiting.take(NOW).jobs)

    def test_the_first_batch_after_a_long_text_has_the_short_ones_that_waited(self, waiting: Waiting) -> None:
        long, short = _request([500] * 4), _request([10])
        waiting.add(long, {})
        waiting.add(short, {})
        assert [_owners(batch) for batch in _take_all(waiting)][:2] == [[long], [short]]

    def test_a_long_text_gets_its_turn_among_short_ones(self, waiting: Waiting) -> None:
        shorts, long = [_request([10] * 40) for _ in range(10)], _request([500])
        waiting.add(shorts[0], {})
        waiting.add(long, {})
        for short in shorts[1:]:
            waiting.add(short, {})
        batches = [_owners(batch) for batch in _take_all(waiting)]
        assert [long] in batches[:3]


class TestBatches:
    def test_a_batch_holds_no_more_than_its_budget_when_padded(self, waiting: Waiting) -> None:
        waiting.add(_request([10, 20, 30, 60, 90, 120, 250] * 20), {})
        sizes = [len(batch) * max(len(job.window.ids) for job in batch) for batch in _take_all(waiting)]
        assert max(sizes) <= BATCH_TOKENS

    def test_windows_of_a_batch_are_of_similar_length(self, waiting: Waiting) -> None:
        for length in [12, 200, 14, 190, 90, 100, 11, 30] * 10:
            waiting.add(_request([length]), {})
        spreads = [
            max(len(job.window.ids) for job in batch) / min(len(job.window.ids) for job in batch)
            for batch in _take_all(waiting)
        ]
        assert max(spreads) < 3

    def test_a_window_longer_than_the_budget_is_computed(self, waiting: Waiting) -> None:
        waiting.add(_request([BATCH_TOKENS + 100]), {})
        assert len(waiting.take(NOW).jobs) == 1

    def test_all_windows_are_taken_once(self, waiting: Waiting) -> None:
        requests = [_request([5 + number % 300] * (1 + number % 7)) for number in range(60)]
        for request in requests:
            waiting.add(request, {})
        taken = [job for batch in _take_all(waiting) for job in batch]
        assert len(taken) == len(set(map(id, taken))) == sum(len(request.windows) for request in requests)
        assert waiting.windows == 0


class TestBatchesWithoutPadding:
    @pytest.fixture
    def waiting(self) -> Waiting:
        return Waiting(Packing(512, padded=False))

    def test_windows_of_any_length_are_computed_in_their_order(self, waiting: Waiting) -> None:
        requests = [_request([length]) for length in (12, 200, 14, 190, 30, 250, 240)]
        for request in requests:
            waiting.add(request, {})
        assert [_owners(batch) for batch in _take_all(waiting)] == [requests[:5], requests[5:]]

    def test_what_is_left_of_a_batch_goes_to_those_that_fit(self, waiting: Waiting) -> None:
        first, long, short = _request([300]), _request([250]), _request([90])
        for request in (first, long, short):
            waiting.add(request, {})
        assert [_owners(batch) for batch in _take_all(waiting)] == [[first, short], [long]]

    def test_for_the_last_few_tokens_nobody_is_looked_for(self, waiting: Waiting) -> None:
        first, short = _request([460]), _request([10])
        waiting.add(first, {})
        waiting.add(short, {})
        assert [_owners(batch) for batch in _take_all(waiting)] == [[first], [short]]

    def test_a_batch_holds_no_more_than_its_budget(self, waiting: Waiting) -> None:
        waiting.add(_request([10, 20, 30, 60, 90, 120, 250] * 20), {})
        assert max(sum(len(job.window.ids) for job in batch) for batch in _take_all(waiting)) <= 512

    def test_a_window_longer_than_the_budget_is_computed_alone(self, waiting: Waiting) -> None:
        waiting.add(_request([600]), {})
        waiting.add(_request([10]), {})
        assert [len(batch) for batch in _take_all(waiting)] == [1, 1]

    def test_what_waits_counts_by_its_real_tokens(self, waiting: Waiting) -> None:
        waiting.add(_request([37] * 3), {})
        assert waiting.tokens_before("interactive") == pytest.approx(111 * OVERTAKEN)


class TestLanes:
    def test_interactive_requests_get_most_of_the_tokens_while_batch_work_waits(self, waiting: Waiting) -> None:
        waiting.add(_request([100] * 400, "batch"), {})
        waiting.add(_request([100] * 400, "interactive"), {})
        first = [waiting.take(NOW).jobs[0].lane for _ in range(50)]
        assert first.count("interactive") == pytest.approx(40, abs=1)

    def test_batch_work_alone_gets_everything(self, waiting: Waiting) -> None:
        waiting.add(_request([100] * 20, "batch"), {})
        assert {job.lane for batch in _take_all(waiting) for job in batch} == {"batch"}

    def test_a_lane_that_was_idle_has_not_saved_up_turns(self, waiting: Waiting) -> None:
        waiting.add(_request([100] * 400, "batch"), {})
        for _ in range(50):
            waiting.take(NOW)
        waiting.add(_request([100] * 400, "interactive"), {})
        lanes = [waiting.take(NOW).jobs[0].lane for _ in range(20)]
        assert lanes.count("batch") >= 3

    def test_what_waits_in_the_other_lane_counts_by_its_share(self, waiting: Waiting) -> None:
        waiting.add(_request([128] * 8, "interactive"), {})
        waiting.add(_request([128] * 800, "batch"), {})
        assert waiting.tokens_before("interactive") == pytest.approx(8 * 128 * 1.25 * OVERTAKEN)

    def test_behind_batch_work_everything_else_may_come_first(self, waiting: Waiting) -> None:
        waiting.add(_request([128] * 8, "interactive"), {})
        waiting.add(_request([128] * 800, "batch"), {})
        assert waiting.tokens_before("batch") == pytest.approx(808 * 128 * OVERTAKEN)

    def test_what_is_computed_now_comes_first(self, waiting: Waiting) -> None:
        waiting.add(_request([128]), {})
        (job,) = waiting.take(NOW).jobs
        assert waiting.tokens_before("interactive") == 128
        waiting.done(job, np.zeros(1, dtype=np.float32))
        assert waiting.tokens_before("interactive") == 0

    def test_what_failed_is_not_waited_for(self, waiting: Waiting) -> None:
        waiting.add(_request([128]), {})
        waiting.failed(waiting.take(NOW).jobs[0])
        assert waiting.tokens_before("interactive") == 0


class TestEqualWindows:
    def test_one_computation_answers_all(self, waiting: Waiting) -> None:
        first = _request([10])
        second = _request([], like=first)
        waiting.add(first, {})
        waiting.add(second, {})
        ((job,),) = _take_all(waiting)
        assert waiting.done(job, np.ones(1, np.float32)) == [first, second]

    def test_one_that_is_being_computed_is_waited_for(self, waiting: Waiting) -> None:
        first = _request([10])
        waiting.add(first, {})
        (job,) = waiting.take(NOW).jobs
        second = _request([], like=first)
        waiting.add(second, {})
        assert not waiting
        assert second in waiting.done(job, np.ones(1, np.float32))

    def test_in_one_request_as_well(self, waiting: Waiting) -> None:
        first = _request([10])
        twice = _request([], like=first)
        twice.windows = [*first.windows, *first.windows]
        twice.pooled = np.zeros((2, 1), np.float32)
        waiting.add(twice, {})
        ((job,),) = _take_all(waiting)
        assert waiting.done(job, np.ones(1, np.float32)) == [twice]
        assert twice.pooled.tolist() == [[1], [1]]

    def test_an_interactive_request_does_not_wait_for_batch_work(self, waiting: Waiting) -> None:
        batch = _request([100] * 50, "batch")
        asked = _request([], like=batch)
        asked.windows = batch.windows[-1:]
        waiting.add(batch, {})
        waiting.add(asked, {})
        assert asked in [waiter for job in waiting.take(NOW).jobs for waiter, _ in job.waiters]

    def test_known_rows_are_not_computed(self, waiting: Waiting) -> None:
        request = _request([10, 20])
        waiting.add(request, {0: np.full(1, 7, np.float32)})
        ((job,),) = _take_all(waiting)
        waiting.done(job, np.ones(1, np.float32))
        assert request.pooled.tolist() == [[7], [1]]


class TestDropped:
    def test_nothing_is_computed_for_a_request_alone_that_was_dropped(self, waiting: Waiting) -> None:
        request = _request([10, 20])
        waiting.add(request, {})
        waiting.drop(request)
        assert (bool(waiting), waiting.windows) == (False, 0)

    def test_what_another_asked_for_as_well_is(self, waiting: Waiting) -> None:
        first = _request([10])
        second = _request([], like=first)
        waiting.add(first, {})
        waiting.add(second, {})
        waiting.drop(first)
        ((job,),) = _take_all(waiting)
        assert waiting.done(job, np.ones(1, np.float32)) == [second]

    def test_a_request_past_its_deadline_is_given_up(self, waiting: Waiting) -> None:
        late, other = _request([10], latest=NOW - 1), _request([10])
        waiting.add(late, {})
        waiting.add(other, {})
        taken = waiting.take(NOW)
        assert (taken.expired, _owners(taken.jobs)) == ([late], [other])

    def test_one_that_has_begun_is_finished(self, waiting: Waiting) -> None:
        request = _request([500] * 3, latest=NOW + 1)
        waiting.add(request, {})
        waiting.take(NOW)
        assert not waiting.take(NOW + 100).expired

    def test_a_window_that_fails_takes_all_its_requests_with_it(self, waiting: Waiting) -> None:
        first = _request([500] * 3)
        second = _request([], like=first)
        waiting.add(first, {})
        waiting.add(second, {})
        (job,) = waiting.take(NOW).jobs
        assert waiting.failed(job) == [first, second]
        assert (bool(waiting), waiting.windows) == (False, 0)


def test_many_that_do_not_fit_are_looked_through_once() -> None:
    class Counted(Waiting):
        looked = 0

        def _fitting(self, request: Request, width: int, used: int) -> Job | None:
            self.looked += 1
            return super()._fitting(request, width, used)

    waiting = Counted(Packing(512, padded=False))
    for length in [300] * 200:
        waiting.add(_request([length]), {})
    waiting.add(_request([3] * 200), {})
    assert sum(len(job.window.ids) for job in waiting.take(NOW).jobs) > 440
    assert waiting.looked < 300
