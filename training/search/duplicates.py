"""When a ticket repeats another: fits the probability, and measures it on texts that nothing was fitted on.

``python -m training.search.duplicates_report`` prints the constants of ``nlp_service/knowledge/likeness.py`` and the
figures of docs/decisions/0015. Pairs are those of ``data/search/repeats.jsonl`` within the product of their ticket, and
all pairs of tickets of one product, which were written to tell different matters; greetings and the like (`other`) are
left out.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.knowledge.frequent import NO_CONTENT
from nlp_service.knowledge.likeness import Likeness, Values, log_lengths
from training.data.sources import DataError
from training.search.pairs import Wordings, split_of

TICKET_WEIGHT = 0.06
"""Of a pair of tickets in the fit, so that all of them together weigh about as much as the pairs with repeats."""
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
REPEAT_RATE = 0.25
"""Share of the tickets that repeat an earlier one, as vendors tell; a repeat of each is assumed to be there once."""
Group = Literal["repeat", "look-alike", "other", "tickets"]


class Repeat(BaseModel):
    """A line of ``data/search/repeats.jsonl``: a ticket told by another customer, and one that only looks the same."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    ticket: str
    same: str = Field(min_length=1)
    different: str = Field(min_length=1)


@dataclass(frozen=True)
class Text:
    """What is known of a text, wherever it stands."""

    text: str
    label: str
    vector: NDArray[np.float32]
    """As a passage, normalised, shape (dimension,)."""


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs of texts, a row each, with what the probability is computed from."""

    cosines: Values
    lengths: Values
    """Logarithm, of the shorter text."""
    same_label: NDArray[np.bool_]
    group: NDArray[np.str_]
    fitted: NDArray[np.bool_]
    """Whether the row may be fitted on; the others test."""

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether both tell the same matter."""
        same: NDArray[np.bool_] = self.group == "repeat"
        return same

    def probabilities(self, likeness: Likeness) -> Values:
        """That both tell the same matter, shape (pairs,)."""
        return likeness.probabilities(self.cosines, self.lengths, self.same_label)


@dataclass(frozen=True)
class Agreement:
    """What a threshold does: of the pairs it names, and of the repeats that there are."""

    precision: float
    recall: float
    look_alikes: int
    """So many look-alikes are named."""
    false_alarms: float
    """Pairs of different tickets that are named, for each ticket that has the others of its product beside it."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    def expected_precision(self, times: float) -> float:
        """With every fourth ticket a repeat, and `times` as many other tickets beside it."""
        right = REPEAT_RATE * self.recall
        return right / max(right + times * self.false_alarms, 1e-9)


def pair_table(
    tickets: Mapping[str, Sequence[tuple[str, Text]]], repeats: Sequence[tuple[Repeat, Text, Text]]
) -> PairTable:
    """`tickets` are (id, text) by product; a repeat comes with what is known of `same` and of `different`.

    Raises DataError when the ticket of a repeat does not exist.
    """
    product_of = {number: product for product, some in tickets.items() for number, _ in some}
    rows: list[tuple[Text, Text, Group, bool]] = []
    for repeat, same, different in repeats:
        if repeat.ticket not in product_of:
            raise DataError(f"{repeat.id}: ticket: no ticket {repeat.ticket!r}")
        fitted = split_of(repeat.id) == "train"
        for number, ticket in tickets[product_of[repeat.ticket]]:
            own = number == repeat.ticket
            rows.append((same, ticket, "repeat" if own else "other", fitted))
            rows.append((different, ticket, "look-alike" if own else "other", fitted))
    for product, some in tickets.items():
        with_content = [text for _, text in some if text.label != NO_CONTENT]
        fitted = split_of(product) == "train"
        rows.extend((one, other, "tickets", fitted) for one, other in itertools.combinations(with_content, 2))
    return _table(rows)


def fit_likeness(pairs: PairTable) -> Likeness:
    """Logistic regression on the rows that may be fitted on."""
    from sklearn.linear_model import LogisticRegression

    features = np.stack([pairs.cosines, pairs.lengths, pairs.same_label], axis=1)[pairs.fitted]
    spread = features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    weights = np.where(pairs.group[pairs.fitted] == "tickets", TICKET_WEIGHT, 1.0)
    model = LogisticRegression(C=1000, max_iter=10_000)
    model.fit(features / scale, pairs.same[pairs.fitted], sample_weight=weights)
    cosine, length, same_label = (round(float(value), 2) for value in model.coef_[0] / scale)
    intercept = round(float(model.intercept_[0]), 2)
    return Likeness(cosine=cosine, length=length, same_label=same_label, intercept=intercept)


def agreement(pairs: PairTable, likeness: Likeness, threshold: float, tickets: int, *, fitted: bool) -> Agreement:
    """At a threshold, on the rows that were fitted on or on the others; `tickets` stand on that side."""
    side = pairs.fitted == fitted
    named = side & (pairs.probabilities(likeness) >= threshold)
    of_tickets = pairs.group == "tickets"
    right = int((named & pairs.same).sum())
    return Agreement(
        precision=right / max(int((named & ~of_tickets).sum()), 1),
        recall=right / max(int((side & pairs.same).sum()), 1),
        look_alikes=int((named & (pairs.group == "look-alike")).sum()),
        false_alarms=int((named & of_tickets).sum()) / max(tickets, 1),
    )


def wording_pairs(wordings: Sequence[Wordings], known: Callable[[str], Text], nearest: int = 5) -> PairTable:
    """Of groups of one split: wordings of a group, with its look-alikes, and with the `nearest` of other groups."""
    rows: list[tuple[Text, Text, Group, bool]] = []
    for group in wordings:
        texts = [known(text) for text in group.same]
        rows.extend((one, other, "repeat", False) for one, other in itertools.combinations(texts, 2))
        others = [known(text) for other in wordings if other.id != group.id for text in other.same]
        stacked = np.stack([text.vector for text in others])
        for text in texts:
            rows.extend((text, known(look_alike), "look-alike", False) for look_alike in group.different)
            closest = np.argsort(-(stacked @ text.vector))[:nearest].tolist()
            rows.extend((text, others[place], "other", False) for place in closest)
    return _table(rows)


def b_cubed(matters: Sequence[int], groups: Sequence[NDArray[np.int64]]) -> tuple[float, float, float]:
    """Precision, recall and F1 of `groups` (places of texts) against the true matter of each text.

    Bagga & Baldwin 1998: the mean over texts of the share of its group that is of its matter, and of its matter that is
    in its group.
    """
    own = np.empty(len(matters), np.int64)
    for number, group in enumerate(groups):
        own[group] = number
    true = np.asarray(matters)
    together, related = own[:, None] == own, true[:, None] == true
    both = (together & related).sum(axis=1)
    precision, recall = float((both / together.sum(axis=1)).mean()), float((both / related.sum(axis=1)).mean())
    return precision, recall, 2 * precision * recall / (precision + recall)


def _table(rows: Sequence[tuple[Text, Text, Group, bool]]) -> PairTable:
    texts = list(dict.fromkeys(text.text for one, other, _, _ in rows for text in (one, other)))
    lengths = dict(zip(texts, log_lengths(texts), strict=True))
    return PairTable(
        cosines=np.array([one.vector @ other.vector for one, other, _, _ in rows], np.float64),
        lengths=np.array([min(lengths[one.text], lengths[other.text]) for one, other, _, _ in rows]),
        same_label=np.array([one.label == other.label for one, other, _, _ in rows]),
        group=np.array([group for _, _, group, _ in rows]),
        fitted=np.array([fitted for _, _, _, fitted in rows]),
    )
