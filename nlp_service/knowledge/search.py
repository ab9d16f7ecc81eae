"""Hybrid search over articles and cases, kept current with the database.

The database is the truth. Each process holds indexes of its own, and before every search it follows the sequences of
changes; so a search sees every change that was committed before it began, in any process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.followed import FollowedIndexes, Progress
from nlp_service.knowledge.highlight import Highlight, highlights
from nlp_service.knowledge.keys import Mask
from nlp_service.knowledge.likeness import UNFITTED, Likeness
from nlp_service.knowledge.query import alternatives, words_of
from nlp_service.knowledge.relevance import Found, Mode, Relevance
from nlp_service.knowledge.space import VectorSpace
from nlp_service.knowledge.store import EncodePassages
from nlp_service.storage.database import Database
from nlp_service.text.segmentation import terms

CANDIDATES = 100
MANY_MISSING = 0.1
"""While a larger share of the records lacks its vector, words alone decide: else those few with one would lead."""
SAME_PRODUCT, SAME_MODULE = 3.0, 1.5
"""Added to the strength, in logits, of what belongs to the asker's product or module: other products rarely answer."""
TWIN_COSINE, TWINS_AMONG = 0.9, 10
"""Records this near, among so many of the first hits, tell the same (docs/decisions/0014)."""
Vector = NDArray[np.float32]
Degraded = Literal["rebuilding"]
"""Not every record is in every index yet."""


@dataclass(frozen=True)
class Context:
    """Where the asker is: records of the same product and module come first among equals."""

    product: str | None = None
    module: str | None = None


@dataclass(frozen=True)
class Hit:
    """A record that was found, and the probability that it answers the query."""

    document: Document
    score: float
    highlights: list[Highlight]
    twins: frozenset[int] = frozenset()
    """Keys of those of the first ten hits that tell the same (docs/decisions/0014)."""


@dataclass(frozen=True)
class Answer:
    """What was found, and how it was with the indexes at that moment."""

    hits: list[Hit]
    degraded: Degraded | None


@dataclass(frozen=True)
class _Ranked:
    """A record before it is read: its key, its probability, and the keys of its twins."""

    key: int
    score: float
    twins: frozenset[int]


NO_FILTERS = Filters()
NOWHERE = Context()


class KnowledgeSearch:
    """Searches with the vectors of one encoder. May be used by several threads."""

    def __init__(
        self,
        database: Database,
        encode: EncodePassages,
        encoder_fingerprint: str,
        dimension: int,
        statuses: Sequence[str],
        relevance: Relevance,
        indexes: FollowedIndexes | None = None,
        likeness: Likeness = UNFITTED,
    ) -> None:
        """The space of the encoder must be added to `indexes` that are given; others are made, with it."""
        self.space = VectorSpace(database, encode, encoder_fingerprint, dimension)
        self._default_statuses = frozenset(statuses) | {"solved"}
        self._relevance = relevance
        self.likeness = likeness
        """Of tickets, by the vectors of this encoder."""
        self._indexes = indexes or FollowedIndexes(database)
        if indexes is None:
            self._indexes.add(self.space, None)

    def __len__(self) -> int:
        return len(self._indexes.text)

    @property
    def degraded(self) -> Degraded | None:
        """Whether some records are not yet read, or can only be found by their words."""
        return "rebuilding" if self._indexes.building or self.space.missing else None

    def rebuild(self, progress: Progress | None = None) -> None:
        """Build the indexes anew from the database; `progress` gets (done, total)."""
        self._indexes.build(progress)
        self._indexes.fill(self.space)
        self._indexes.merge(self.space)

    def follow(self) -> None:
        """Apply the changes that were committed since the last call."""
        self._indexes.follow()

    def answer(
        self,
        query: str,
        vector: Vector | None,
        *,
        top_k: int,
        mode: Mode,
        filters: Filters = NO_FILTERS,
        context: Context = NOWHERE,
        min_score: float = 0.0,
        highlighted: bool = True,
        since: float | None = None,
    ) -> Answer:
        """The best `top_k` records that answer with a probability of `min_score` or more; none is an answer, too.

        What was committed before the call is found, or before `since` (of `time.perf_counter`): when who asks came.
        `vector` is the query's, normalised, shape (dimension,) or (1, dimension); a lexical search needs none.
        While many records lack their vectors, every search is lexical. Highlights of a hundred hits take
        time: who does not show them says so by `highlighted`.
        """
        if mode != "lexical" and vector is None:
            raise ValueError(f"{mode} search needs the query's vector")
        asked = list(dict.fromkeys(terms(query)))
        self._indexes.follow(since)
        with self._indexes.lock:
            degraded = self.degraded
            if len(self.space.missing) > MANY_MISSING * len(self):
                mode = "lexical"
            ranked = self._ranked(asked, vector, top_k, mode, filters, context)
        chosen = [one for one in ranked if one.score >= min_score]
        return Answer(self._hits(chosen, asked if highlighted else ()), degraded)

    def search(
        self,
        query: str,
        vector: Vector | None,
        *,
        top_k: int,
        mode: Mode,
        filters: Filters = NO_FILTERS,
        context: Context = NOWHERE,
        highlighted: bool = True,
    ) -> list[Hit]:
        """The hits of `answer`, however probable."""
        return self.answer(
            query, vector, top_k=top_k, mode=mode, filters=filters, context=context, highlighted=highlighted
        ).hits

    def nearest(
        self, vector: Vector, k: int, filters: Filters = NO_FILTERS, below: int | None = None
    ) -> list[tuple[int, float]]:
        """The `k` records nearest to a normalised vector, shape (dimension,), as (key, cosine), the best first.

        Of any status unless the filters name one; of keys smaller than `below` when given.
        """
        self.follow()
        with self._indexes.lock:
            allowed = self._indexes.text.facets.match(filters, None)
            return self.space.index.search(vector, k, allowed[:below])

    def _ranked(
        self, asked: Sequence[str], vector: Vector | None, top_k: int, mode: Mode, filters: Filters, context: Context
    ) -> list[_Ranked]:
        """The `top_k` best candidates with their probabilities, the best first, equal ones by key."""
        depth = max(CANDIDATES, top_k)
        allowed = self._indexes.text.facets.match(filters, self._default_statuses)
        wanted = alternatives(asked)
        scores = self._indexes.text.lexical.scores(wanted) if mode != "dense" else None
        worded = [key for key, _ in scores.best(depth, allowed)] if scores is not None else []
        cosines = self._cosines(vector, depth, allowed, worded) if mode != "lexical" and vector is not None else {}
        keys = list(dict.fromkeys([*cosines, *worded]))
        shares = [0.0] * len(keys) if scores is None else scores.shares_of(keys)
        unknown = min(cosines.values(), default=0.0)  # of a record whose vector is still to be computed
        strengths = self._relevance.strengths(mode, [cosines.get(key, unknown) for key in keys], shares)
        bonus = self._bonus(keys, context)
        order = np.lexsort((np.asarray(keys), -(strengths + bonus)))
        ranked = [keys[place] for place in order]
        found = Found(strengths[order], np.asarray(shares, np.float64)[order], words_of(wanted), bonus[order])
        near = ranked[:TWINS_AMONG]
        twins = self._twins(near)
        probabilities = self._relevance.probabilities(mode, found, twins).tolist()
        same = [frozenset(key for key, is_twin in zip(near, row, strict=True) if is_twin) for row in twins.tolist()]
        same += [frozenset()] * (top_k - len(near))
        return [_Ranked(*one) for one in zip(ranked[:top_k], probabilities, same, strict=False)]

    def _twins(self, keys: Sequence[int]) -> Mask:
        """Which of the records tell the same, shape (keys, keys); of one without a vector nobody knows."""
        vectors = self.space.index.vectors(keys)
        unknown = np.zeros(self.space.dimension, dtype=np.float32)
        stacked = np.stack([vectors.get(key, unknown) for key in keys]) if keys else unknown[None][:0]
        same: Mask = stacked @ stacked.T >= TWIN_COSINE
        return same

    def _cosines(self, vector: Vector, depth: int, allowed: Mask, worded: Sequence[int]) -> dict[int, float]:
        """Of the nearest records, and of those that hold the query's terms although they are not among the nearest."""
        nearest = dict(self.space.index.search(vector.reshape(-1), depth, allowed))
        others = [key for key in worded if key not in nearest]
        return nearest | self.space.index.cosines(vector.reshape(-1), others) if others else nearest

    def _bonus(self, keys: Sequence[int], context: Context) -> NDArray[np.float64]:
        bonus = np.zeros(len(keys))
        if context == NOWHERE:
            return bonus
        for place, key in enumerate(keys):
            facets = self._indexes.text.facets.facets_of(key)
            if facets is not None:
                bonus[place] += SAME_PRODUCT * (context.product is not None and facets.product == context.product)
                bonus[place] += SAME_MODULE * (context.module is not None and facets.module == context.module)
        return bonus

    def _hits(self, ranked: Sequence[_Ranked], asked: Sequence[str]) -> list[Hit]:
        documents = self._indexes.shown.of([one.key for one in ranked])
        wanted = frozenset(asked)
        return [
            Hit(
                documents[one.key],
                one.score,
                highlights(documents[one.key].readable, wanted) if wanted else [],
                one.twins,
            )
            for one in ranked
            if one.key in documents
        ]
