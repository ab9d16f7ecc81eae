"""The metrics. With several workers they are counted together, see `nlp_service.observability.exposition`.

The values of labels come from fixed sets (routes, methods, reasons, classes of errors) or from the models that are
loaded, never from what a request holds.
"""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from nlp_service.errors import Refusal

disable_created_metrics()  # type: ignore[no-untyped-call]  # else one more time series for each, which nobody reads

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
QUEUE_WAITS = (*SECONDS, 20.0, 30.0)
"""Requests of many texts may wait longer than any other step lasts."""
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
BATCH_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
CONFIDENCES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)

REQUESTS = Counter("nlp_requests_total", "HTTP requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("nlp_request_seconds", "Time from request to answer", ["route"], buckets=SECONDS)
IN_PROGRESS = Gauge("nlp_requests_in_progress", "Requests not answered yet", multiprocess_mode="livesum")
REFUSED = Counter("nlp_refused_total", "Requests answered with 429, by reason", ["reason"])

QUEUE = Gauge(
    "nlp_queue_windows", "Token windows waiting for an encoder", ["encoder", "lane"], multiprocess_mode="livesum"
)
TOKENISE_SECONDS = Histogram("nlp_tokenise_seconds", "Tokenisation of a request", ["encoder"], buckets=SECONDS)
QUEUE_SECONDS = Histogram(
    "nlp_queue_seconds", "Wait of a request for its first batch", ["encoder", "lane"], buckets=QUEUE_WAITS
)
ENCODE_SECONDS = Histogram(
    "nlp_encode_seconds", "From the first batch of a request to its last", ["encoder"], buckets=SECONDS
)
INFERENCE_SECONDS = Histogram(
    "nlp_inference_seconds", "One batch in the encoder, and its wait for a stream", ["encoder"], buckets=SECONDS
)
STREAMS = Gauge(
    "nlp_encoder_streams",
    "Batches that are computed at a time, in all workers",
    ["encoder"],
    multiprocess_mode="livesum",
)
BATCH_WINDOWS = Histogram("nlp_batch_windows", "Token windows of a batch", ["encoder"], buckets=BATCH_SIZES)
BATCH_TOKENS_USED = Histogram(
    "nlp_batch_tokens", "Tokens of a batch, without padding", ["encoder"], buckets=BATCH_TOKENS
)
RECALLED_WINDOWS = Counter("nlp_recalled_windows_total", "Token windows whose vector was computed lately", ["encoder"])
ENCODER_ERRORS = Counter("nlp_encoder_errors_total", "Batches that the runtime did not compute", ["encoder"])

ANSWERS = Counter(
    "nlp_answers_total", "Answers by task, label and whether a person should review", ["task", "label", "review"]
)
CONFIDENCE = Histogram(
    "nlp_confidence", "Probability of the label that was answered", ["task", "label"], buckets=CONFIDENCES
)
SEARCHES = Counter("nlp_searches_total", "Searches by whether anything was found", ["mode", "outcome"])
RERANKS = Counter("nlp_reranks_total", "Searches whose hits were to be ranked again", ["outcome"])
SEARCH_QUEUE = Gauge("nlp_search_queue", "Searches that wait for a thread", multiprocess_mode="livesum")
SEARCH_QUEUE_SECONDS = Histogram("nlp_search_queue_seconds", "Wait of a search for a thread", buckets=SECONDS)
SEARCH_SECONDS = Histogram("nlp_search_seconds", "Search without encoding the query", ["mode"], buckets=SECONDS)

MODEL_INFO = Gauge(
    "nlp_model_info", "Heads that answer; 1", ["task", "version", "encoder"], multiprocess_mode="livemax"
)
ENCODER_INFO = Gauge(
    "nlp_encoder_info",
    "Encoders in use; 1",
    ["encoder", "version", "fingerprint"],
    multiprocess_mode="livemax",
)
RELOADS = Counter("nlp_model_reloads_total", "Attempts to take what was promoted", ["result"])

RECORDS = Gauge("nlp_index_records", "Records that search finds", ["kind"], multiprocess_mode="livemin")
BUILDING = Gauge("nlp_index_building", "Workers that still read the records", multiprocess_mode="livesum")
MISSING = Gauge(
    "nlp_index_vectors_missing", "Records found by words alone for now", ["space"], multiprocess_mode="livemax"
)
FOLLOWED = Gauge(
    "nlp_index_followed_change",
    "Last change in the indexes, of all workers",
    ["kind"],
    multiprocess_mode="livemin",
)
LAG = Gauge(
    "nlp_index_lag_changes", "Changes committed but not in the indexes yet", ["kind"], multiprocess_mode="livemax"
)
KEPT = Gauge(
    "nlp_index_kept_timestamp_seconds", "When the indexes were last seen to be current", multiprocess_mode="livemin"
)
UNSAVED = Gauge("nlp_index_unsaved_changes", "Changes that no snapshot holds", multiprocess_mode="livemax")
SNAPSHOT = Gauge(
    "nlp_index_snapshot_timestamp_seconds", "When the newest snapshot was saved", multiprocess_mode="livemax"
)

DATABASE_SECONDS = Histogram("nlp_database_seconds", "One statement in the database", ["operation"], buckets=SECONDS)
DATABASE_ERRORS = Counter("nlp_database_errors_total", "Errors of the database, by class", ["error"])

BUILD_INFO = Gauge("nlp_build_info", "The version that runs; 1", ["version", "python"], multiprocess_mode="livemax")
WORKERS = Gauge("nlp_workers", "Worker processes", multiprocess_mode="livesum")
STARTED = Gauge(
    "nlp_process_start_timestamp_seconds", "When the youngest worker was started", multiprocess_mode="livemax"
)
MEMORY = Gauge("nlp_process_memory_bytes", "Resident memory of all workers", multiprocess_mode="livesum")

INFOS = frozenset({"nlp_model_info", "nlp_encoder_info"})
"""Metrics whose samples are only shown while they are 1."""

for _outcome in ("reranked", "not_reranked"):
    RERANKS.labels(_outcome)
for _reason in get_args(Refusal):  # from 0 on, so that the first one is an increase
    REFUSED.labels(_reason)
