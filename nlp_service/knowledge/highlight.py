"""Why a record matched: the sentences of it that hold most of the query's terms."""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

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


@dataclass(frozen=True)
class Readable:
    """A text with what is looked at for every query: made once, since records are found again and again."""

    text: str
    folded: str
    codes: tuple[tuple[str, int, int], ...]
    """In their common spelling, with where each starts and ends."""
    sentences: tuple[Place, ...]

    @classmethod
    def of(cls, text: str) -> "Readable":
        """That of a text."""
        folded = fold(text)
        return cls(text, folded, tuple(spelled_codes(folded)), tuple(map(re.Match.span, _SENTENCE.finditer(text))))

    def places(self, terms: Collection[str]) -> list[Place]:
        """Where the terms stand, ascending; a code (qx7781) however it is spelled here (QX-7781)."""
        found = [place for term in terms if term in self.folded for place in _places(term, self.folded)]
        found += [(start, end) for code, start, end in self.codes if code in terms]
        return sorted(found)

    def within_sentences(self, places: Sequence[Place]) -> Iterator[tuple[Place, list[Place]]]:
        """Each sentence that holds some of the places, which ascend, with these."""
        for number, inside in groupby(places, lambda place: bisect_right(self.sentences, place[0], key=itemgetter(1))):
            if number < len(self.sentences):
                start, end = self.sentences[number]
                if held := [place for place in inside if place[0] >= start and place[1] <= end]:
                    yield (start, end), held


@dataclass(frozen=True)
class _Marked:
    """A sentence, or the part of it that is shown: where it starts, its text, and the places of terms in the field."""

    weight: Weight
    start: int
    text: str
    places: list[Place]


def sentences(text: str) -> list[str]:
    """The sentences of a text, each cut at 160 characters."""
    return [part for match in _SENTENCE.finditer(text) if (part := match[0].strip()[:MAX_CHARACTERS])]


def highlights(fields: Mapping[str, Readable], terms: Collection[str], limit: int = 3) -> list[Highlight]:
    """At most one sentence a field, those that hold most different terms first; empty when no term occurs."""
    found = [(best, name) for name, field in fields.items() if (best := _best(field, terms)) is not None]
    found.sort(key=lambda one: one[0].weight, reverse=True)
    return [
        Highlight(name, best.text, [(start - best.start, end - best.start) for start, end in best.places])
        for best, name in found[:limit]
    ]


def _best(field: Readable, terms: Collection[str]) -> _Marked | None:
    held = field.within_sentences(field.places(terms))
    return max((_mark(field, sentence, _union(inside)) for sentence, inside in held), key=_weight, default=None)


def _mark(field: Readable, sentence: Place, places: list[Place]) -> _Marked:
    plain = field.text[slice(*sentence)]
    start = sentence[0] + len(plain) - len(plain.lstrip())
    plain = plain.strip()
    if len(plain) > MAX_CHARACTERS:
        # Of a very long sentence, the part from shortly before the first match.
        cut = max(0, min(places[0][0] - start - MAX_CHARACTERS // 8, len(plain) - MAX_CHARACTERS))
        start, plain = start + cut, plain[cut : cut + MAX_CHARACTERS]
        places = [place for place in places if place[0] >= start and place[1] <= start + MAX_CHARACTERS]
    covered = {field.folded[slice(*place)] for place in places}
    return _Marked((sum(map(len, covered)), -len(plain)), start, plain, places)


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


def _weight(marked: _Marked) -> Weight:
    return marked.weight
