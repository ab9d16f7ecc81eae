"""What an encoder does is counted by its name, also while another of that name takes over."""

from collections.abc import Iterator

import pytest

from nlp_service.errors import Overloaded
from nlp_service.inference.batching import INTERACTIVE_TEXTS, Batcher
from nlp_service.inference.engine import Engine
from nlp_service.observability.encoder import EncoderObserver
from nlp_service.observability.exposition import exposition
from tests.observability.values import summed

TEXTS = ["又闪退了", "能不能支持深色模式，夜里看着太刺眼了"]


def _value(name: str, encoder: str) -> float:
    return summed(exposition().decode(), name, encoder=encoder)


@pytest.fixture
def batcher(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Batcher]:
    """The real encoder, whose observer has the name of the test."""
    opened = Batcher(engine.search.encoder, observer=EncoderObserver(request.node.name))
    yield opened
    opened.close()


@pytest.mark.parametrize("step", ["tokenise", "queue", "encode"])
def test_each_step_of_a_request_is_observed(batcher: Batcher, request: pytest.FixtureRequest, step: str) -> None:
    batcher.encode(TEXTS)
    assert _value(f"nlp_{step}_seconds_count", request.node.name) == 1


def test_passes_windows_and_tokens_are_counted(batcher: Batcher, request: pytest.FixtureRequest) -> None:
    pending = batcher.submit(TEXTS)
    pending.vectors.result()
    counted = [_value(f"nlp_batch_{unit}_sum", request.node.name) for unit in ("windows", "tokens")]
    assert counted == [len(TEXTS), pending.tokens]


def test_every_pass_is_timed(batcher: Batcher, request: pytest.FixtureRequest) -> None:
    batcher.encode(TEXTS)
    name = request.node.name
    assert _value("nlp_inference_seconds_count", name) == _value("nlp_batch_windows_count", name) > 0


def test_streams_are_counted_while_the_encoder_serves(engine: Engine, request: pytest.FixtureRequest) -> None:
    name = request.node.name
    opened = Batcher(engine.search.encoder, observer=EncoderObserver(name))
    assert _value("nlp_encoder_streams", name) == opened.encoder.streams
    opened.close()
    opened.close()
    assert _value("nlp_encoder_streams", name) == 0


def test_a_failed_pass_is_counted() -> None:
    EncoderObserver("failing").failed(3)
    assert _value("nlp_encoder_errors_total", "failing") == 1


def test_the_queues_of_two_encoders_of_one_name_add_up() -> None:
    one, other = EncoderObserver("twice"), EncoderObserver("twice")
    one.queued({"interactive": 3})
    other.queued({"interactive": 4})
    one.queued({"interactive": 1})
    assert _value("nlp_queue_windows", "twice") == 5


@pytest.mark.parametrize(("texts", "lane"), [(1, "interactive"), (INTERACTIVE_TEXTS + 1, "batch")])
def test_a_wait_belongs_to_its_lane(batcher: Batcher, request: pytest.FixtureRequest, texts: int, lane: str) -> None:
    batcher.encode(TEXTS[:1] * texts)
    shown = exposition().decode()
    assert summed(shown, "nlp_queue_seconds_count", encoder=request.node.name, lane=lane) == 1


def test_what_waits_is_told_by_lane() -> None:
    EncoderObserver("lanes").queued({"interactive": 1, "batch": 4})
    shown = exposition().decode()
    assert summed(shown, "nlp_queue_windows", encoder="lanes", lane="batch") == 4


def test_a_refused_request_does_not_wait(batcher: Batcher, request: pytest.FixtureRequest) -> None:
    batcher.close()
    with pytest.raises(Overloaded):
        batcher.submit(TEXTS)
    assert _value("nlp_queue_windows", request.node.name) == 0
