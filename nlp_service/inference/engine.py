"""Everything that is loaded: encoders, heads, and the answers they give."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol, get_args

from nlp_service.errors import BundleError
from nlp_service.inference.aspects import AspectOpinion, aspect_opinions
from nlp_service.inference.batching import Batcher, Limits
from nlp_service.inference.bundle import QUERY, EncoderBundle, HeadBundle, Task, read_bundle
from nlp_service.inference.classification import Classification, classifications
from nlp_service.inference.encoder import Encoder, Vectors, normalise
from nlp_service.inference.head import Head
from nlp_service.inference.observer import Observer
from nlp_service.inference.release import RERANKER, SEARCH, Release, encoder_folder, read_release
from nlp_service.inference.reranker import Reranker
from nlp_service.inference.search_encoder import is_short
from nlp_service.inference.sentiment import Sentiment, sentiments

TASKS: tuple[Task, ...] = get_args(Task)
QUERIES = "queries"
Passes = dict[str, Future[Vectors]]
"""Fingerprint of an encoder to the pooled vectors it will have made, shape (texts, dimension)."""
Pooled = dict[str, Vectors]
"""Fingerprint of an encoder to the pooled vectors it made."""


def check_bundles(bundles: Path) -> None:
    """Raise BundleError when a bundle that the engine loads is missing or damaged; loads nothing."""
    release = read_release(bundles)
    heads = [read_bundle(bundles / _part(release, task), HeadBundle) for task in TASKS]
    read = [encoder_folder(head.encoder.name, head.encoder.fingerprint) for head in heads]
    others = [release.serving[RERANKER]] if RERANKER in release.serving else []
    for folder in dict.fromkeys(
        [_part(release, SEARCH), *others, *read]
    ):  # an encoder is read whole: once, not for each head
        read_bundle(bundles / folder, EncoderBundle)


class Engine:
    """The encoders, a head for each task, and a reranker where one serves. Close it when done.

    Tasks whose heads share an encoder share its pass.
    """

    def __init__(
        self,
        search: Batcher,
        batchers: Mapping[str, Batcher],
        heads: Mapping[Task, Head],
        reranker: Reranker | None = None,
        queries: Batcher | None = None,
    ) -> None:
        """`search` encodes articles, and queries unless `queries` has fewer layers for them."""
        self.search = search
        self.queries = queries or search
        self.heads = dict(heads)
        self.reranker = reranker
        self._batchers = dict(batchers)

    @classmethod
    def load(
        cls,
        bundles: Path,
        *,
        threads: int,
        limits: Limits | None = None,
        observe: "Observe | None" = None,
        previous: "Engine | None" = None,
        rerank_top: int = 0,
    ) -> "Engine":
        """Load, verify and warm up what the release names; raises BundleError.

        Encoders that `previous` has loaded are shared with it. The reranker reads `rerank_top` hits; with 0 none is
        loaded.
        """
        release = read_release(bundles)
        known = previous.batchers if previous else {}
        opened: dict[str, Batcher] = {}

        def batcher(folder: Path, fingerprint: str, limits: Limits | None = limits) -> Batcher:
            if fingerprint not in known and fingerprint not in opened:
                encoder = Encoder.load(folder, threads=threads)
                observer = observe(encoder.bundle.name) if observe else None
                opened[fingerprint] = Batcher(encoder, limits=limits, observer=observer)
            return known.get(fingerprint) or opened[fingerprint]

        def queries_of(search: Batcher, folder: Path) -> Batcher | None:
            key = _queries_key(search)
            if key is not None and key not in known and (encoder := search.encoder.of_queries(folder, threads=threads)):
                observer = observe(f"{encoder.bundle.name}-{QUERIES}") if observe else None
                opened[key] = Batcher(encoder, limits=limits, observer=observer)
            return None if key is None else known.get(key) or opened[key]

        try:
            folder = bundles / _part(release, SEARCH)
            search = batcher(folder, read_bundle(folder, EncoderBundle).fingerprint)
            queries = queries_of(search, folder)
            reranker = None
            if rerank_top and RERANKER in release.serving:
                folder = bundles / release.serving[RERANKER]
                fingerprint = read_bundle(folder, EncoderBundle).fingerprint
                interactive = (limits or Limits()).all_interactive
                reranker = Reranker.of(batcher(folder, fingerprint, interactive), rerank_top)
            heads: dict[Task, Head] = {}
            used: dict[str, Batcher] = {}
            for task in TASKS:
                folder = bundles / _part(release, task)
                reference = read_bundle(folder, HeadBundle).encoder
                own = batcher(bundles / encoder_folder(reference.name, reference.fingerprint), reference.fingerprint)
                heads[task] = Head.load(folder, own.encoder.bundle)
                heads[task].check(folder, own.encode)
                if heads[task].bundle.task != task:
                    raise BundleError(f"{folder}: a head for {heads[task].bundle.task}, not for {task}")
                used[reference.fingerprint] = own
        except BaseException:
            for started in opened.values():
                started.close()
            raise
        return cls(search, used, heads, reranker, queries)

    def sharing(self, other: "Engine") -> "Engine":
        """What answers as this one does, and has the encoders of the other one as well, for `load` to share."""
        return Engine(self.search, {**other.batchers, **self._batchers}, self.heads, self.reranker, self.queries)

    def searching_with(self, search: Batcher, queries: Batcher | None = None) -> "Engine":
        """The same heads with another search encoder."""
        return Engine(search, self._batchers, self.heads, self.reranker, queries)

    @property
    def batchers(self) -> dict[str, Batcher]:
        """Every encoder that is used, by fingerprint; that of queries by the checksum of its weights."""
        key = _queries_key(self.search)
        queries = {key: self.queries} if key and self.queries is not self.search else {}
        reranker = {self.reranker.model.fingerprint: self.reranker.batcher} if self.reranker else {}
        return {self.search.encoder.bundle.fingerprint: self.search, **queries, **self._batchers, **reranker}

    @property
    def encoders(self) -> list[EncoderBundle]:
        """The bundles of the encoders that are loaded."""
        bundles = [batcher.encoder.bundle for batcher in self.batchers.values()]
        return list({bundle.fingerprint: bundle for bundle in bundles}.values())

    @property
    def search_model(self) -> EncoderBundle:
        """The bundle that encodes queries and articles."""
        return self.search.encoder.bundle

    def model(self, task: Task) -> HeadBundle:
        """The bundle that answers for `task`."""
        return self.heads[task].bundle

    def submit(self, texts: Sequence[str], tasks: Sequence[Task]) -> Passes:
        """Begin to encode texts for some tasks: one pass for each encoder that their heads need.

        Raises Overloaded when too much waits.
        """
        passes: Passes = {}
        for fingerprint in dict.fromkeys(self.heads[task].bundle.encoder.fingerprint for task in tasks):
            try:
                passes[fingerprint] = self._batchers[fingerprint].submit(texts).vectors
            except BaseException:
                for started in passes.values():
                    started.cancel()
                raise
        return passes

    def check_room(self, texts: int, tasks: Sequence[Task]) -> None:
        """Raise Overloaded when `submit` would refuse so many texts now; costs microseconds."""
        for fingerprint in {self.heads[task].bundle.encoder.fingerprint for task in tasks}:
            self._batchers[fingerprint].check_room(texts)

    def encode(self, texts: Sequence[str], tasks: Sequence[Task]) -> Pooled:
        """As `submit`, and wait."""
        return {fingerprint: future.result() for fingerprint, future in self.submit(texts, tasks).items()}

    def vectors(self, task: Task, pooled: Pooled) -> Vectors:
        """The vectors that the head of `task` reads."""
        return pooled[self.heads[task].bundle.encoder.fingerprint]

    def probabilities(self, task: Task, pooled: Pooled) -> Vectors:
        """Calibrated probabilities, shape (texts, labels), for `aspects` (texts, aspects, labels)."""
        return self.heads[task].probabilities(self.vectors(task, pooled))

    def sentiments(self, pooled: Pooled) -> list[Sentiment]:
        """Sentiment of each text."""
        return sentiments(self.heads["sentiment"], self.vectors("sentiment", pooled))

    def aspects(self, pooled: Pooled) -> list[list[AspectOpinion]]:
        """What each text speaks of, and how."""
        return aspect_opinions(self.heads["aspects"], self.vectors("aspects", pooled))

    def classifications(self, pooled: Pooled) -> list[Classification]:
        """Kind of each text."""
        return classifications(self.heads["classify"], self.vectors("classify", pooled))

    def severities(self, pooled: Pooled) -> list[Classification]:
        """How badly the author of each text is hindered."""
        return classifications(self.heads["severity"], self.vectors("severity", pooled))

    def analyse(self, texts: Sequence[str]) -> list[tuple[Sentiment, Classification]]:
        """Sentiment and kind of each text."""
        pooled = self.encode(texts, ("sentiment", "classify"))
        return list(zip(self.sentiments(pooled), self.classifications(pooled), strict=True))

    def encode_query(self, query: str) -> Future[Vectors]:
        """The vector of a search query, shape (1, dimension), not normalised."""
        windows = self.search.windows([query], "query")
        batcher = self.queries if is_short(self.search_model, windows) else self.search
        return batcher.submit_windows(windows, 1).vectors

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Normalised vectors of articles, shape (texts, dimension)."""
        return encode_passages(self.search, texts)

    @property
    def alive(self) -> bool:
        """Whether every encoder works."""
        return all(batcher.alive for batcher in self.batchers.values())

    def close(self, keep: Sequence[Batcher] = ()) -> None:
        """Finish what waits, then stop; encoders in `keep` go on."""
        for batcher in self.batchers.values():
            if batcher not in keep:
                batcher.close()


def encode_passages(search: Batcher, texts: Sequence[str]) -> Vectors:
    """Normalised vectors of articles by a search encoder, shape (texts, dimension)."""
    return normalise(search.encode(texts, "passage"))


class Observe(Protocol):
    """Makes the observer of an encoder."""

    def __call__(self, encoder: str) -> Observer:
        """The observer of the encoder of this name."""
        ...


def _queries_key(search: Batcher) -> str | None:
    """Names the encoder of queries by the checksum of its weights; None when queries have none of their own."""
    bundle = search.encoder.bundle
    return bundle.files[QUERY.weights] if bundle.queries is not None else None


def _part(release: Release, name: str) -> str:
    if name not in release.serving:
        raise BundleError(f"release.json: serving: 缺少 · missing: {name}; run: nlp-service models build")
    return release.serving[name]
