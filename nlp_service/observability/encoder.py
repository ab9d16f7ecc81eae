"""Watches one encoder's batcher."""

from collections.abc import Mapping

from nlp_service.inference.waiting import LANE_SHARES, Lane
from nlp_service.observability import metrics
from nlp_service.observability.tracing import past_span


class EncoderObserver:
    """See `nlp_service.inference.observer.Observer`. Several of one name, while one takes over, count together."""

    def __init__(self, encoder: str) -> None:
        self._encoder = encoder
        self._waiting: dict[Lane, int] = dict.fromkeys(LANE_SHARES, 0)
        self._queue = {lane: metrics.QUEUE.labels(encoder, lane) for lane in LANE_SHARES}
        self._streams = metrics.STREAMS.labels(encoder)
        self._tokenise_seconds = metrics.TOKENISE_SECONDS.labels(encoder)
        self._queue_seconds = {lane: metrics.QUEUE_SECONDS.labels(encoder, lane) for lane in LANE_SHARES}
        self._encode_seconds = metrics.ENCODE_SECONDS.labels(encoder)
        self._inference_seconds = metrics.INFERENCE_SECONDS.labels(encoder)
        self._batch_windows = metrics.BATCH_WINDOWS.labels(encoder)
        self._batch_tokens = metrics.BATCH_TOKENS_USED.labels(encoder)
        self._recalled = metrics.RECALLED_WINDOWS.labels(encoder)
        self._errors = metrics.ENCODER_ERRORS.labels(encoder)

    def queued(self, windows: Mapping[Lane, int]) -> None:
        """See `Observer`."""
        for lane, now in windows.items():
            self._queue[lane].inc(now - self._waiting[lane])
            self._waiting[lane] = now

    def streams(self, change: int) -> None:
        """See `Observer`."""
        self._streams.inc(change)

    def batch(self, windows: int, tokens: int, seconds: float) -> None:
        """See `Observer`."""
        self._batch_windows.observe(windows)
        self._batch_tokens.observe(tokens)
        self._inference_seconds.observe(seconds)

    def failed(self, windows: int) -> None:  # noqa: ARG002 - the requests that fail are counted by status
        """See `Observer`."""
        self._errors.inc()

    def tokenised(self, seconds: float) -> None:
        """See `Observer`."""
        self._tokenise_seconds.observe(seconds)
        past_span("tokenise", seconds, encoder=self._encoder)

    def recalled(self, windows: int) -> None:
        """See `Observer`."""
        self._recalled.inc(windows)

    def waited(self, seconds: float, lane: Lane) -> None:
        """See `Observer`."""
        self._queue_seconds[lane].observe(seconds)
        past_span("queue", seconds, encoder=self._encoder, lane=lane)

    def encoded(self, seconds: float) -> None:
        """See `Observer`."""
        self._encode_seconds.observe(seconds)
        past_span("infer", seconds, encoder=self._encoder)
