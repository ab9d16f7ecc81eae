"""Everything that is loaded: encoders, heads, and the answers they give."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import get_args

from nlp_service.errors import BundleError
from nlp_service.inference.aspects import AspectOpinion, aspect_opinions
from nlp_service.inference.batching import Batcher, Limits
from nlp_service.inference.bundle import QUERY, EncoderBundle, HeadBundle, Task, read_bundle
from nlp_service.inference.classification import Classification, classifications
from nlp_service.inference.encoder import Vectors, normalise
from nlp_service.inference.head import Head
from nlp_service.inference.opening import Observe, Opening
from nlp_service.inference.release import RERANKER, SEARCH, Release, encoder_folder, read_release
from nlp_service.inference.reranker import Reranker
from nlp_service.inference.search_encoder import is_short
from nlp_service.inference.sentiment import Sentiment, sentiments
from nlp_service.inference.windows import Window

TASKS: tuple[Task, ...] = get_args(Task)
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
        observe: Observe | None = None,
        previous: "Engine | None" = None,
        rerank_top: int = 0,
    ) -> "Engine":
        """Load, verify and warm up what the release names; raises BundleError.

        Encoders that `previous` has loaded are shared with it; without it, all are opened beside one another. The
        reranker reads `rerank_top` hits; with 0 none is loaded.
        """
        release = read_release(bundles)
        folders = {task: bundles / _part(release, task) for task in (SEARCH, *TASKS)}
        with Opening(previous.batchers if previous else {}, threads=threads, observe=observe) as opening:
            needed = {task: read_bundle(folders[task], HeadBundle).encoder for task in TASKS}
            for one in needed.values():
                opening.begin(one.fingerprint, bundles / encoder_folder(one.name, one.fingerprint), limits, busy=True)
            search = read_bundle(folders[SEARCH], EncoderBundle)
            opening.begin(search.fingerprint, folders[SEARCH], limits)
            if (queries := _queries_key(search)) is not None:
                opening.begin(queries, folders[SEARCH], limits, QUERY)
            ranks = None
            if rerank_top and RERANKER in release.serving:
                folder = bundles / release.serving[RERANKER]
                ranks = read_bundle(folder, EncoderBundle).fingerprint
                opening.begin(ranks, folder, (limits or Limits()).all_interactive)
            used = {one.fingerprint: opening.opened(one.fingerprint) for one in needed.values()}
            heads = {task: _checked_head(folders[task], task, used[one.fingerprint]) for task, one in needed.items()}
            return cls(
                opening.opened(search.fingerprint),
                used,
                heads,
                None if ranks is None else Reranker.of(opening.opened(ranks), rerank_top),
                None if queries is None else opening.opened(queries),
            )

    def sharing(self, other: "Engine") -> "Engine":
        """What answers as this one does, and has the encoders of the other one as well, for `load` to share."""
        return Engine(self.search, {**other.batchers, **self._batchers}, self.heads, self.reranker, self.queries)

    def searching_with(self, search: Batcher, queries: Batcher | None = None) -> "Engine":
        """The same heads with another search encoder."""
        return Engine(search, self._batchers, self.heads, self.reranker, queries)

    @property
    def batchers(self) -> dict[str, Batcher]:
        """Every encoder that is used, by fingerprint; that of queries by the checksum of its weights."""
        key = _queries_key(self.search_model)
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

    def encode_query(self, query: str) -> Vectors:
        """The vector of a search query, shape (1, dimension), not normalised; raises Overloaded."""
        batcher, windows = self._query(query)
        return batcher.encode_windows(windows, 1)

    def submit_query(self, query: str) -> Future[Vectors] | None:
        """Begin what `encode_query` does; None while the encoder is idle, when a thread that waits is sooner done."""
        if self.queries.idle:
            return None
        batcher, windows = self._query(query)
        return batcher.submit_windows(windows, 1).vectors

    def _query(self, query: str) -> tuple[Batcher, list[Window]]:
        windows = self.search.windows([query], "query")
        return self.queries if is_short(self.search_model, windows) else self.search, windows

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


def _queries_key(search: EncoderBundle) -> str | None:
    """Names the encoder of queries by the checksum of its weights; None when queries have none of their own."""
    return search.files[QUERY.weights] if search.queries is not None else None


def _checked_head(folder: Path, task: Task, encoder: Batcher) -> Head:
    """The head in a folder; raises BundleError unless it is one of the task and gives its own test answers."""
    head = Head.load(folder, encoder.encoder.bundle)
    head.check(folder, encoder.encode)
    if head.bundle.task != task:
        raise BundleError(f"{folder}: a head for {head.bundle.task}, not for {task}")
    return head


def _part(release: Release, name: str) -> str:
    if name not in release.serving:
        raise BundleError(f"release.json: serving: 缺少 · missing: {name}; run: nlp-service models build")
    return release.serving[name]
