"""What Prometheus reads at ``/metrics``. With several workers set PROMETHEUS_MULTIPROC_DIR; `serve` does so itself.

The values of labels come from fixed sets (routes, methods, reasons) or from the models that are loaded: never from what
a request holds.
"""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
BATCH_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

REQUESTS = Counter("nlp_requests_total", "HTTP requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("nlp_request_seconds", "Time from request to answer", ["route"], buckets=SECONDS)
QUEUE = Gauge("nlp_queue_windows", "Token windows waiting for an encoder", ["encoder"], multiprocess_mode="livesum")
QUEUE_SECONDS = Histogram("nlp_queue_seconds", "Wait for the first batch", ["encoder"], buckets=SECONDS)
TOKENISE_SECONDS = Histogram("nlp_tokenise_seconds", "Tokenisation of a request", ["encoder"], buckets=SECONDS)
INFERENCE_SECONDS = Histogram("nlp_inference_seconds", "One batch in the encoder", ["encoder"], buckets=SECONDS)
BATCH_WINDOWS = Histogram("nlp_batch_windows", "Token windows of a batch", ["encoder"], buckets=BATCH_SIZES)
BATCH_TOKENS_USED = Histogram(
    "nlp_batch_tokens", "Tokens of a batch, without padding", ["encoder"], buckets=BATCH_TOKENS
)
ENCODER_ERRORS = Counter("nlp_encoder_errors_total", "Batches that the runtime did not compute", ["encoder"])
ANSWERS = Counter(
    "nlp_answers_total", "Answers by task, label and whether a person should review", ["task", "label", "review"]
)
ARTICLES = Gauge("nlp_articles", "Articles in the knowledge base", multiprocess_mode="mostrecent")


class EncoderMetrics:
    """Observer of one encoder's batcher. Several of one name, while one takes over, are counted together."""

    def __init__(self, encoder: str) -> None:
        self._waiting = 0
        self._queue = QUEUE.labels(encoder)
        self._queue_seconds = QUEUE_SECONDS.labels(encoder)
        self._tokenise_seconds = TOKENISE_SECONDS.labels(encoder)
        self._inference_seconds = INFERENCE_SECONDS.labels(encoder)
        self._batch_windows = BATCH_WINDOWS.labels(encoder)
        self._batch_tokens = BATCH_TOKENS_USED.labels(encoder)
        self._errors = ENCODER_ERRORS.labels(encoder)

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

    def waited(self, seconds: float) -> None:
        """See `Observer`."""
        self._queue_seconds.observe(seconds)

    def encoded(self, seconds: float) -> None:
        """See `Observer`."""
