"""Everything that is loaded: encoders, heads, and the answers they give."""

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from nlp_service.inference.batching import Batcher, Observer
from nlp_service.inference.bundle import EncoderBundle, HeadBundle, Task, read_bundle
from nlp_service.inference.classification import Classification, classifications
from nlp_service.inference.encoder import Encoder, Vectors, normalise
from nlp_service.inference.head import Head
from nlp_service.inference.sentiment import Sentiment, sentiments

FEEDBACK, SEARCH = "feedback", "search"


TASKS: tuple[Task, ...] = ("sentiment", "classify")


def check_bundles(bundles: Path) -> None:
    """Raise BundleError when a bundle that the engine loads is missing or damaged; loads nothing."""
    for name in (FEEDBACK, SEARCH):
        read_bundle(bundles / "encoders" / name, EncoderBundle)
    for task in TASKS:
        read_bundle(bundles / "heads" / task, HeadBundle)


class Engine:
    """The encoders `feedback` and `search` and the heads `sentiment` and `classify`. Close it when done."""

    def __init__(self, feedback: Batcher, search: Batcher, sentiment: Head, classify: Head) -> None:
        self.feedback = feedback
        self.search = search
        self._sentiment = sentiment
        self._classify = classify

    @classmethod
    def load(
        cls, bundles: Path, *, threads: int, max_waiting: int = 8192, observers: dict[str, Observer] | None = None
    ) -> "Engine":
        """Load, verify and warm up all bundles; raises BundleError."""
        encoders = {name: Encoder.load(bundles / "encoders" / name, threads=threads) for name in (FEEDBACK, SEARCH)}
        heads = {task: Head.load(bundles / "heads" / task, encoders[FEEDBACK].bundle) for task in TASKS}
        watch = observers or {}
        batchers = {
            name: Batcher(encoder, max_waiting=max_waiting, observer=watch.get(name))
            for name, encoder in encoders.items()
        }
        return cls(batchers[FEEDBACK], batchers[SEARCH], heads["sentiment"], heads["classify"])

    @property
    def sentiment_model(self) -> HeadBundle:
        """The bundle that answers for sentiment."""
        return self._sentiment.bundle

    @property
    def classify_model(self) -> HeadBundle:
        """The bundle that answers for classification."""
        return self._classify.bundle

    @property
    def search_model(self) -> EncoderBundle:
        """The bundle that encodes queries and articles."""
        return self.search.encoder.bundle

    def encode_feedback(self, texts: Sequence[str]) -> Future[Vectors]:
        """Pooled vectors for both heads: one pass, whatever is asked of them afterwards."""
        return self.feedback.submit(texts).vectors

    def sentiments(self, pooled: Vectors) -> list[Sentiment]:
        """Sentiment of texts that were encoded by `encode_feedback`."""
        return sentiments(self._sentiment, pooled)

    def classifications(self, pooled: Vectors) -> list[Classification]:
        """Kind of texts that were encoded by `encode_feedback`."""
        return classifications(self._classify, pooled)

    def analyse(self, texts: Sequence[str]) -> list[tuple[Sentiment, Classification]]:
        """Sentiment and kind of each text; each text is encoded once."""
        pooled = self.encode_feedback(texts).result()
        return list(zip(self.sentiments(pooled), self.classifications(pooled), strict=True))

    def encode_query(self, query: str) -> Future[Vectors]:
        """The vector of a search query, shape (1, dimension), not normalised."""
        return self.search.submit([query], "query").vectors

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Normalised vectors of articles, shape (texts, dimension)."""
        return normalise(self.search.encode(texts, "passage"))

    @property
    def alive(self) -> bool:
        """Whether both encoders work."""
        return self.feedback.alive and self.search.alive

    def close(self) -> None:
        """Finish what waits, then stop."""
        self.feedback.close()
        self.search.close()
