"""Watches one encoder's batcher."""

from nlp_service.observability import metrics
from nlp_service.observability.tracing import past_span


class EncoderObserver:
    """See `nlp_service.inference.observer.Observer`. Several of one name, while one takes over, count together."""

    def __init__(self, encoder: str) -> None:
        self._encoder = encoder
        self._waiting = 0
        self._queue = metrics.QUEUE.labels(encoder)
        self._tokenise_seconds = metrics.TOKENISE_SECONDS.labels(encoder)
        self._queue_seconds = metrics.QUEUE_SECONDS.labels(encoder)
        self._encode_seconds = metrics.ENCODE_SECONDS.labels(encoder)
        self._inference_seconds = metrics.INFERENCE_SECONDS.labels(encoder)
        self._batch_windows = metrics.BATCH_WINDOWS.labels(encoder)
        self._batch_tokens = metrics.BATCH_TOKENS_USED.labels(encoder)
        self._recalled = metrics.RECALLED_WINDOWS.labels(encoder)
        self._errors = metrics.ENCODER_ERRORS.labels(encoder)

    def queued(self, windows: int) -> None:
        """See `Observer`."""
        self._queue.inc(windows - self._waiting)
        self._waiting = windows

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

    def waited(self, seconds: float) -> None:
        """See `Observer`."""
        self._queue_seconds.observe(seconds)
        past_span("queue", seconds, encoder=self._encoder)

    def encoded(self, seconds: float) -> None:
        """See `Observer`."""
        self._encode_seconds.observe(seconds)
        past_span("infer", seconds, encoder=self._encoder)
