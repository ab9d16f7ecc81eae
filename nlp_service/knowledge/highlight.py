"""Why a record matched: the sentences of it that hold most of the query's terms."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from nlp_service.text.segmentation import fold, spelled_codes

# Full stop, exclamation mark, question mark and semicolon, Chinese and Latin; a Latin full stop also stands in numbers.
_MARKS = "\u3002\uff01\uff1f\uff1b!?;"
_SENTENCE = re.compile(rf"[^{_MARKS}\n]+[{_MARKS}]?")
MAX_CHARACTERS = 160
Weight = tuple[int, int]
"""Characters of the different terms that a sentence holds, and its length below zero."""


@dataclass(frozen=True)
class Highlight:
    """A sentence of a field, with the places [start, end) of matched terms, in characters of `text`."""

    field: str
    text: str
    spans: list[tuple[int, int]]


def sentences(text: str) -> list[str]:
    """The sentences of a text, each cut at 160 characters."""
    return [part for match in _SENTENCE.finditer(text) if (part := match[0].strip()[:MAX_CHARACTERS])]


def highlights(fields: dict[str, str], terms: Collection[str], limit: int = 3) -> list[Highlight]:
    """At most one sentence a field, those that hold most different terms first; empty when no term occurs.

    A code in its common spelling (qx7781) is found however the field spells it (QX-7781).
    """
    found = [best for name, text in fields.items() if (best := _best(name, text, terms)) is not None]
    return [highlight for _, highlight in sorted(found, key=_weight, reverse=True)[:limit]]


def _best(name: str, text: str, terms: Collection[str]) -> tuple[Weight, Highlight] | None:
    folded = fold(text)
    present = {term for term in terms if term in folded}
    codes = {code for code, _, _ in spelled_codes(folded) if code in terms}
    if not present and not codes:
        return None
    parts = ((match[0], folded[match.start() : match.end()]) for match in _SENTENCE.finditer(text))
    marked = (_mark(name, *part, present, codes) for part in parts if codes or any(term in part[1] for term in present))
    best = max(marked, key=_weight, default=None)
    return best if best is not None and best[1].spans else None


def _mark(
    name: str, sentence: str, folded: str, terms: Collection[str], codes: Collection[str]
) -> tuple[Weight, Highlight]:
    begin = len(sentence) - len(sentence.lstrip())
    sentence = sentence.strip()
    folded = folded[begin : begin + len(sentence)]
    found = [place for term in terms if term in folded for place in _places(term, folded)]
    found += [(start, end) for code, start, end in spelled_codes(folded) if code in codes] if codes else []
    places = _union(sorted(found))
    if len(sentence) > MAX_CHARACTERS:
        # Of a very long sentence, the part from shortly before the first match.
        first = max(0, min(places[0][0] - MAX_CHARACTERS // 8, len(sentence) - MAX_CHARACTERS)) if places else 0
        last = first + MAX_CHARACTERS
        places = [(start - first, end - first) for start, end in places if start >= first and end <= last]
        sentence, folded = sentence[first:last], folded[first:last]
    covered = {folded[start:end] for start, end in places}
    return (sum(map(len, covered)), -len(sentence)), Highlight(name, sentence, places)


def _places(term: str, text: str) -> Iterator[tuple[int, int]]:
    start = text.find(term)
    while start >= 0:
        yield start, start + len(term)
        start = text.find(term, start + 1)


def _union(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in places:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _weight(marked: tuple[Weight, Highlight]) -> Weight:
    return marked[0]
