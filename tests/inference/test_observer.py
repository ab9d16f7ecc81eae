"""What the batcher tells its observer, and where."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from contextvars import ContextVar

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.errors import Overloaded
from nlp_service.inference.batching import Batcher
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.engine import Engine
from nlp_service.inference.session import Session
from nlp_service.inference.waiting import Lane
from tests.gate import Gate

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="none")
TEXTS = ["又闪退了", "能不能支持深色模式，夜里看着太刺眼了"]
Told = tuple[str, str, tuple[float, ...]]
"""Name of the method, request in whose context it was called, arguments."""


class Recorder:
    """Notes everything that it is told."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def queued(self, windows: Mapping[Lane, int]) -> None:
        self._note("queued", *windows.values())

    def streams(self, change: int) -> None:
        self._note("streams", change)

    def batch(self, windows: int, tokens: int, seconds: float) -> None:
        self._note("batch", windows, tokens, seconds)

    def failed(self, windows: int) -> None:
        self._note("failed", windows)

    def tokenised(self, seconds: float) -> None:
        self._note("tokenised", seconds)

    def recalled(self, windows: int) -> None:
        self._note("recalled", windows)

    def waited(self, seconds: float, lane: Lane) -> None:  # noqa: ARG002 - told apart in the metrics
        self._note("waited", seconds)

    def encoded(self, seconds: float) -> None:
        self._note("encoded", seconds)

    def of(self, name: str) -> list[tuple[float, ...]]:
        return [arguments for told, _, arguments in self.told if told == name]

    def requests_of(self, name: str) -> list[str]:
        return [request for told, request, _ in self.told if told == name]

    def _note(self, name: str, *arguments: float) -> None:
        self.told.append((name, REQUEST.get(), arguments))


class BrokenSession(Session):
    """A runtime that computes nothing."""

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:  # noqa: ARG002
        raise RuntimeError("broken")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def batcher(engine: Engine, recorder: Recorder) -> Iterator[Batcher]:
    opened = Batcher(engine.search.encoder, observer=recorder)
    yield opened
    opened.close()


def test_batches_tell_all_windows_and_their_tokens(batcher: Batcher, recorder: Recorder) -> None:
    pending = batcher.submit(TEXTS)
    pending.vectors.result()
    told = recorder.of("batch")
    assert (sum(batch[0] for batch in told), sum(batch[1] for batch in told)) == (len(TEXTS), pending.tokens)


def test_each_step_of_a_request_is_told_once(batcher: Batcher, recorder: Recorder) -> None:
    batcher.encode(["长" * 3000, *TEXTS])
    assert [name for name, _, _ in recorder.told if name in {"tokenised", "waited", "encoded"}] == [
        "tokenised",
        "waited",
        "encoded",
    ]


def test_a_request_is_encoded_no_faster_than_its_batches(batcher: Batcher, recorder: Recorder) -> None:
    batcher.encode(["长" * 3000])
    assert recorder.of("encoded")[0][0] >= sum(batch[2] for batch in recorder.of("batch"))


@pytest.mark.parametrize("step", ["tokenised", "waited", "encoded"])
def test_what_concerns_a_request_is_told_in_its_context(batcher: Batcher, recorder: Recorder, step: str) -> None:
    def ask(name: str) -> None:
        REQUEST.set(name)
        batcher.encode(TEXTS)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(recorder.requests_of(step)) == ["one", "two"]


def test_who_joins_what_is_computed_already_waits_for_no_turn(engine: Engine, recorder: Recorder) -> None:
    gate = Gate(engine.search.encoder)
    with closing(Batcher(gate, observer=recorder)) as batcher:
        first = batcher.submit(TEXTS)
        gate.begun.wait(60)
        second = batcher.submit(TEXTS)
        gate.go.set()
        assert np.array_equal(first.vectors.result(60), second.vectors.result(60))
    assert len(gate.batches) == 1
    assert [seconds for (seconds,) in recorder.of("waited")].count(0.0) == 1
    assert len(recorder.of("waited")) == 2


def test_nothing_waits_when_all_is_done(batcher: Batcher, recorder: Recorder) -> None:
    batcher.encode(TEXTS)
    assert recorder.of("queued")[-1] == (0, 0)


def test_a_batch_that_fails_is_told(engine: Engine, recorder: Recorder) -> None:
    encoder = engine.search.encoder
    broken = Batcher(Encoder(encoder.bundle, encoder._windower, BrokenSession()), observer=recorder)
    with pytest.raises(RuntimeError):
        broken.encode(TEXTS)
    broken.close()
    assert (len(recorder.of("failed")), recorder.of("batch")) == (1, [])


def test_windows_that_were_computed_lately_are_told(batcher: Batcher, recorder: Recorder) -> None:
    batcher.encode(TEXTS)
    batcher.encode([*TEXTS, "新的反馈"])
    assert recorder.of("recalled") == [(len(TEXTS),)]


def test_a_refused_request_says_why(batcher: Batcher) -> None:
    batcher.close()
    with pytest.raises(Overloaded) as refused:
        batcher.submit(TEXTS)
    assert refused.value.reason == "stopping"
