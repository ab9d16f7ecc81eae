"""Why a record matched: the sentences of it that hold most of the query's terms."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from nlp_service.text.segmentation import fold, spelled_codes

# Full stop, exclamation mark, question mark and semicolon, Chinese and Latin; a Latin full stop also stands in numbers.
_MARKS = "\u3002\uff01\uff1f\uff1b!?;"
_SENTENCE = re.compile(rf"[^{_MARKS}\n]+[{_MARKS}]?")
MAX_CHARACTERS = 160
Place = tuple[int, int]
"""Start and end, in characters."""
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
    codes = {term for term in terms if any(map(str.isdecimal, term))}
    found = [best for name, text in fields.items() if (best := _best(name, text, terms, codes)) is not None]
    return [highlight for _, highlight in sorted(found, key=_weight, reverse=True)[:limit]]


def _best(name: str, text: str, terms: Collection[str], codes: Collection[str]) -> tuple[Weight, Highlight] | None:
    folded = fold(text)
    places = [place for term in terms if term in folded for place in _places(term, folded)]
    if codes:
        places += [(start, end) for code, start, end in spelled_codes(folded) if code in codes]
    if not places:
        return None
    places.sort()
    marked = [_mark(name, text, folded, first, _union(inside)) for first, inside in _by_sentence(text, places)]
    return max(marked, key=_weight, default=None)


def _by_sentence(text: str, places: Sequence[Place]) -> Iterator[tuple[Place, list[Place]]]:
    """Each sentence that holds some of the places, which ascend, with these."""
    at = 0
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        first = at
        while at < len(places) and places[at][0] < end:
            at += 1
        inside = [place for place in places[first:at] if place[0] >= start and place[1] <= end]
        if inside:
            yield (start, end), inside


def _mark(name: str, text: str, folded: str, sentence: Place, places: list[Place]) -> tuple[Weight, Highlight]:
    plain = text[slice(*sentence)]
    start = sentence[0] + len(plain) - len(plain.lstrip())
    plain = plain.strip()
    if len(plain) > MAX_CHARACTERS:
        # Of a very long sentence, the part from shortly before the first match.
        cut = max(0, min(places[0][0] - start - MAX_CHARACTERS // 8, len(plain) - MAX_CHARACTERS))
        start, plain = start + cut, plain[cut : cut + MAX_CHARACTERS]
        places = [place for place in places if place[0] >= start and place[1] <= start + MAX_CHARACTERS]
    covered = {folded[slice(*place)] for place in places}
    spans = [(first - start, last - start) for first, last in places]
    return (sum(map(len, covered)), -len(plain)), Highlight(name, plain, spans)


def _places(term: str, text: str) -> Iterator[Place]:
    start = text.find(term)
    while start >= 0:
        yield start, start + len(term)
        start = text.find(term, start + 1)


def _union(places: Sequence[Place]) -> list[Place]:
    merged: list[Place] = []
    for start, end in places:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _weight(marked: tuple[Weight, Highlight]) -> Weight:
    return marked[0]
