"""Where the time of a query goes: the functions of the search that each stage consists of, timed as they are called."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nlp_service.knowledge import search as searching
from nlp_service.knowledge.facets import FacetIndex
from nlp_service.knowledge.followed import FollowedIndexes
from nlp_service.knowledge.index.faiss_index import FaissIndex
from nlp_service.knowledge.lexical_index import LexicalIndex, LexicalScores
from nlp_service.knowledge.search import KnowledgeSearch

STAGES = ("embed", "words", "follow", "filter", "vectors", "lexical", "rank", "fetch", "highlight")
_TIMED: tuple[tuple[object, str, str], ...] = (
    (searching, "terms", "words"),
    (FollowedIndexes, "follow", "follow"),
    (FacetIndex, "match", "filter"),
    (FaissIndex, "search", "vectors"),
    (FaissIndex, "cosines", "vectors"),
    (LexicalIndex, "scores", "lexical"),
    (LexicalScores, "best", "lexical"),
    (LexicalScores, "shares_of", "lexical"),
    (KnowledgeSearch, "_ranked", "rank"),
    (KnowledgeSearch, "_hits", "fetch"),
    (searching, "highlights", "highlight"),
)


class Stopwatch:
    """Seconds spent in each stage since `reset`; what an inner stage takes does not count for the outer one."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def reset(self) -> None:
        """Begin anew."""
        self.seconds.clear()

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Count what runs inside for a stage."""
        self._inner.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - started
            self.seconds[stage] += passed - self._inner.pop()
            self._inner[-1] += passed

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time the functions of the search while this lasts; some microseconds are added to each call."""
        originals = [getattr(owner, name) for owner, name, _ in _TIMED]
        for (owner, name, stage), original in zip(_TIMED, originals, strict=True):
            setattr(owner, name, self._timed(original, stage))
        try:
            yield
        finally:
            for (owner, name, _), original in zip(_TIMED, originals, strict=True):
                setattr(owner, name, original)

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.time(stage):
                return function(*arguments, **options)

        return timed
