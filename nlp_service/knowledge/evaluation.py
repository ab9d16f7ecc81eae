"""How well search answers questions whose articles are known.

Figures are means over the questions, with 95 % bootstrap intervals over them (Efron & Tibshirani 1993): recall@k is the
share of a question's articles among the first k hits, MRR the reciprocal rank of its first one, nDCG@10 as in
Järvelin & Kekäläinen (2002) with equal gains.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from nlp_service.errors import InvalidRecord
from nlp_service.wording import message_of

DEPTH = 100
"""Hits asked for; an article further down counts as not found."""
CUTS = (1, 5, 10)
SAMPLES = 1000
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Ranked = Callable[[str], Sequence[str | None]]
"""The external ids of the hits of a query, the best first; None for an article that has none."""


class Question(BaseModel):
    """A line of the file: a query, and the articles that answer it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
    external_id: Annotated[
        tuple[ExternalId, ...],
        BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
        Field(min_length=1, max_length=100),
    ]
    """One, or several of equal worth."""


@dataclass(frozen=True)
class Mean:
    """A mean over the questions with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Miss:
    """A question none of whose articles is among the first five hits."""

    query: str
    wanted: tuple[str, ...]
    rank: int | None
    """Of the first one, from 1; None when it is not among the first 100."""
    found: str | None
    """What came first instead."""


@dataclass(frozen=True)
class Evaluation:
    """One way to search, measured on all questions."""

    questions: int
    figures: dict[str, Mean]
    misses: list[Miss]


def read_questions(file: Path) -> list[Question]:
    """From JSON Lines; raises InvalidRecord naming the first line that is no question, or when there is none."""
    questions = []
    for number, line in enumerate(file.read_text("utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            questions.append(Question.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "JSON"
            raise InvalidRecord(f"{file}:{number}: {place}: {message_of(first)}", place=number) from error
    if not questions:
        raise InvalidRecord(f"{file}: 没有问题 · no questions", place=0)
    return questions


def evaluate(questions: Sequence[Question], search: Ranked) -> Evaluation:
    """Ask every question; raises ValueError when there is none."""
    if not questions:
        raise ValueError("no questions")
    rows, misses = [], []
    for question in questions:
        hits = list(search(question.query))[:DEPTH]
        places = sorted(hits.index(wanted) + 1 for wanted in set(question.external_id) if wanted in hits)
        rows.append(list(_of_one(places, len(set(question.external_id)))))
        if not places or places[0] > CUTS[1]:
            misses.append(
                Miss(question.query, question.external_id, places[0] if places else None, hits[0] if hits else None)
            )
    names = [*(f"recall@{cut}" for cut in CUTS), "MRR", "nDCG@10"]
    return Evaluation(len(questions), dict(zip(names, _means(np.array(rows)), strict=True)), misses)


def _of_one(places: Sequence[int], wanted: int) -> Iterator[float]:
    for cut in CUTS:
        yield sum(place <= cut for place in places) / wanted
    yield 1 / places[0] if places else 0.0
    gain = sum(1 / np.log2(1 + place) for place in places if place <= CUTS[-1])
    yield float(gain / sum(1 / np.log2(1 + place) for place in range(1, min(wanted, CUTS[-1]) + 1)))


def _means(values: NDArray[np.float64]) -> Iterator[Mean]:
    """Of each column of values, shape (questions, figures)."""
    drawn = np.random.default_rng(0).integers(0, len(values), (SAMPLES, len(values)))
    for column in values.T:
        low, high = np.percentile(column[drawn].mean(axis=1), [2.5, 97.5])
        yield Mean(float(column.mean()), float(low), float(high))
