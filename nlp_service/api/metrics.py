"""What Prometheus reads at ``/metrics``. With several workers set PROMETHEUS_MULTIPROC_DIR; `serve` does so itself."""

from prometheus_client import Counter, Gauge, Histogram

MILLISECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)

REQUESTS = Counter("nlp_requests_total", "HTTP requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("nlp_request_seconds", "Time from request to answer", ["route"], buckets=MILLISECONDS)
QUEUE = Gauge("nlp_queue_windows", "Token windows waiting for an encoder", ["encoder"], multiprocess_mode="livesum")
QUEUE_SECONDS = Histogram("nlp_queue_seconds", "Wait for the first batch", ["encoder"], buckets=MILLISECONDS)
TOKENISE_SECONDS = Histogram("nlp_tokenise_seconds", "Tokenisation of a request", ["encoder"], buckets=MILLISECONDS)
INFERENCE_SECONDS = Histogram("nlp_inference_seconds", "One batch in the encoder", ["encoder"], buckets=MILLISECONDS)
BATCH_WINDOWS = Histogram("nlp_batch_windows", "Token windows of a batch", ["encoder"], buckets=BATCH_SIZES)
ANSWERS = Counter(
    "nlp_answers_total", "Answers by task, label and whether a person should review", ["task", "label", "review"]
)
ARTICLES = Gauge("nlp_articles", "Articles in the knowledge base", multiprocess_mode="mostrecent")


class EncoderMetrics:
    """Observer of one encoder's batcher."""

    def __init__(self, encoder: str) -> None:
        self._queue = QUEUE.labels(encoder)
        self._queue_seconds = QUEUE_SECONDS.labels(encoder)
        self._tokenise_seconds = TOKENISE_SECONDS.labels(encoder)
        self._inference_seconds = INFERENCE_SECONDS.labels(encoder)
        self._batch_windows = BATCH_WINDOWS.labels(encoder)

    def queued(self, windows: int) -> None:
        """See `Observer`."""
        self._queue.set(windows)

    def batch(self, windows: int, seconds: float) -> None:
        """See `Observer`."""
        self._batch_windows.observe(windows)
        self._inference_seconds.observe(seconds)

    def waited(self, seconds: float) -> None:
        """See `Observer`."""
        self._queue_seconds.observe(seconds)

    def tokenised(self, seconds: float) -> None:
        """See `Observer`."""
        self._tokenise_seconds.observe(seconds)
