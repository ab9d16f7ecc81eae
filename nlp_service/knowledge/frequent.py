"""The most frequent problems of a period, each with the article that answers it best, or the lack of one."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, func, select

from nlp_service.errors import InvalidText
from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.clock import Clock, utc_now
from nlp_service.knowledge.clusters import Numbers, Points, clusters
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.likeness import log_lengths
from nlp_service.knowledge.search import Context, Hit, KnowledgeSearch, Vector
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback, FeedbackVector
from nlp_service.text.headline import headline

DAYS = 30
MAX_TICKETS = 200_000
"""Of the period and the one before it."""
LEAST_SIZE = 2
EXAMPLES = 5
ANSWERED_FROM = 0.3
"""Least probability of an article that answers. Of 765 queries outside the training split, 81 % reach it while their
article is there and 20 % while it is taken away (docs/decisions/0015)."""
NO_CONTENT = "other"
"""The label of tickets that tell nothing of a product."""
PUBLISHED = Filters(kind=frozenset({"article"}), status=frozenset({"published"}))
BEGINNING = datetime.min.replace(tzinfo=UTC)
EncodeQuery = Callable[[str], Vector]


@dataclass(frozen=True)
class Period:
    """`since` ≤ written < `until`."""

    since: datetime
    until: datetime

    @property
    def before(self) -> "Period":
        """The one before it, of equal length as far as the calendar goes."""
        return Period(self.since - min(self.until - self.since, self.since - BEGINNING), self.since)


@dataclass(frozen=True)
class Problem:
    """Tickets that tell the same matter."""

    title: str
    """The headline of the most typical ticket."""
    ticket: int
    """The number of that ticket."""
    size: int
    share: float
    """Of all tickets of the period."""
    previous: int
    """How many tickets of the period before told it."""
    products: dict[str, int]
    """How many tickets name each product, the most frequent first."""
    examples: list[int]
    """Numbers of up to five tickets, the most typical first."""
    article: Hit | None
    """The published article that most probably answers it."""

    @property
    def gap(self) -> bool:
        """Whether no published article answers it."""
        return self.article is None or self.article.score < ANSWERED_FROM


@dataclass(frozen=True)
class Frequent:
    """The most frequent problems of a period, and how many tickets it has."""

    period: Period
    tickets: int
    problems: list[Problem]


@dataclass(frozen=True, eq=False)
class _Tickets:
    """Tickets of the period and of the one before, by number."""

    numbers: list[int]
    texts: list[str]
    products: list[str | None]
    points: Points
    current: Numbers
    """1 for tickets of the period, 0 for those before it."""


def period_of(since: datetime | None, until: datetime | None, now: datetime) -> Period:
    """What is meant: until now when no end is given, the 30 days before the end when no beginning is.

    Raises InvalidText when it is empty.
    """
    end = until or now
    beginning = since or end - min(timedelta(days=DAYS), end - BEGINNING)
    if beginning >= end:
        raise InvalidText(
            "since 须早于 until(默认现在) · since must be before until, which is now by default", field="since"
        )
    return Period(beginning, end)


class FrequentProblems:
    """Groups the tickets of a period, and looks each group up in the knowledge base."""

    def __init__(
        self,
        database: Database,
        search: KnowledgeSearch,
        encode_query: EncodeQuery,
        labels: Sequence[str],
        clock: Clock = utc_now,
    ) -> None:
        """`encode_query` gives the vector of a text, shape (1, dimension), normalised or not; `labels` serve now."""
        self._database = database
        self._search = search
        self._encode_query = encode_query
        self._labels = labels
        self._clock = clock

    def top(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        product: str | None = None,
        labels: Collection[str] = (),
        limit: int = 10,
    ) -> Frequent:
        """The largest groups of two tickets or more; without `labels` of every ticket but those without content.

        Raises InvalidText for an empty period, for one of too many tickets, and for a label that neither the model nor
        any ticket has; and Overloaded.
        """
        self._check(labels)
        period = period_of(since, until, self._clock())
        self._search.follow()
        tickets = self._tickets(period, product, labels)
        alike = clusters(tickets.points, likeness=self._search.likeness)
        groups = [(group, group[tickets.current[group] == 1]) for group in alike]
        frequent = sorted(
            ((group, now) for group, now in groups if len(now) >= LEAST_SIZE),
            key=lambda one: (-len(one[1]), one[1][0]),
        )
        total = int(tickets.current.sum())
        problems = [self._problem(tickets, group, now, total) for group, now in frequent[:limit]]
        return Frequent(period, total, problems)

    def _check(self, labels: Collection[str]) -> None:
        unknown = sorted(set(labels) - set(self._labels))
        if not unknown:
            return
        with self._database.read() as session:
            stored = set(session.scalars(select(Feedback.label).where(Feedback.kind == "ticket").distinct()))
        if unknown := [label for label in unknown if label not in stored]:
            allowed = ", ".join([*self._labels, *sorted(stored - set(self._labels))])
            raise InvalidText(
                f"没有类别 · no such label: {', '.join(unknown)}; 可用 · use: {allowed}",
                field="label",
            )

    def _problem(self, tickets: _Tickets, group: Numbers, now: Numbers, total: int) -> Problem:
        vectors = tickets.points.vectors[now]
        typical = now[np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")].tolist()
        text = tickets.texts[typical[0]]
        products = Counter(name for place in now.tolist() if (name := tickets.products[place]) is not None)
        ordered = dict(sorted(products.items(), key=lambda one: (-one[1], one[0])))
        return Problem(
            title=headline(text),
            ticket=tickets.numbers[typical[0]],
            size=len(now),
            share=len(now) / total,
            previous=len(group) - len(now),
            products=ordered,
            examples=[tickets.numbers[place] for place in typical[:EXAMPLES]],
            article=self._article(text, next(iter(ordered), None)),
        )

    def _article(self, text: str, product: str | None) -> Hit | None:
        vector = normalise(self._encode_query(text))
        context = Context(product=product)
        hits = self._search.search(text, vector, top_k=1, mode="hybrid", filters=PUBLISHED, context=context)
        return hits[0] if hits else None

    def _tickets(self, period: Period, product: str | None, labels: Collection[str]) -> _Tickets:
        conditions = _conditions(period, product, labels)
        joined = (FeedbackVector.record_id == Feedback.id) & (FeedbackVector.encoder == self._search.space.fingerprint)
        columns = (Feedback.id, Feedback.text, Feedback.product, Feedback.label, Feedback.created_at)
        query = select(*columns, FeedbackVector.vector).join(FeedbackVector, joined).where(*conditions)
        with self._database.read() as session:
            count = session.scalar(select(func.count()).select_from(Feedback).where(*conditions)) or 0
            if count > MAX_TICKETS:
                raise InvalidText(
                    f"该时段与前一时段共 {count:,} 条工单,上限 {MAX_TICKETS:,},请缩短时段 · this period and the one "
                    f"before have {count:,} tickets; at most {MAX_TICKETS:,}: give a shorter one",
                    field="since",
                )
            rows = session.execute(query.order_by(Feedback.id)).all()
        texts = [row.text for row in rows]
        _, codes = np.unique([row.label for row in rows], return_inverse=True)
        vectors = np.frombuffer(b"".join(row.vector for row in rows), "<f4")
        return _Tickets(
            numbers=[row.id for row in rows],
            texts=texts,
            products=[row.product for row in rows],
            points=Points(vectors.reshape(len(rows), self._search.space.dimension), log_lengths(texts), codes),
            current=np.array([row.created_at >= period.since for row in rows], np.int64),
        )


def _conditions(period: Period, product: str | None, labels: Collection[str]) -> list[ColumnElement[bool]]:
    """Of tickets of the period and of the one before it."""
    meant = Feedback.label.in_(labels) if labels else Feedback.label != NO_CONTENT
    conditions = [Feedback.kind == "ticket", meant, Feedback.created_at >= period.before.since]
    conditions.append(Feedback.created_at < period.until)
    if product is not None:
        conditions.append(Feedback.product == product)
    return conditions
