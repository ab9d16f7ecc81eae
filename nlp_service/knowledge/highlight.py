"""Why an article matched: the sentences of it that hold most of the query's terms."""

import re
from collections.abc import Collection
from dataclasses import dataclass

_SENTENCE = re.compile(r"[^。!?!?;;\n]+[。!?!?;;]?")
MAX_CHARACTERS = 160


@dataclass(frozen=True)
class Highlight:
    """A sentence of a field, with the places [start, end) of matched terms, in characters of `text`."""

    field: str
    text: str
    spans: list[tuple[int, int]]


def highlights(fields: dict[str, str], terms: Collection[str], limit: int = 3) -> list[Highlight]:
    """At most one sentence a field, those that hold most different terms first; empty when no term occurs."""
    found = []
    for name, text in fields.items():
        best = max(
            (_mark(name, match[0].strip(), terms) for match in _SENTENCE.finditer(text)), key=_weight, default=None
        )
        if best is not None and best.spans:
            found.append(best)
    return sorted(found, key=_weight, reverse=True)[:limit]


def _mark(name: str, sentence: str, terms: Collection[str]) -> Highlight:
    text = sentence[:MAX_CHARACTERS]
    lowered = text.lower()
    if len(lowered) != len(text):  # a few characters change their length in lower case; offsets must not shift
        lowered = text
    places = [(m.start(), m.end()) for term in terms for m in re.finditer(re.escape(term), lowered)]
    return Highlight(name, text, _union(sorted(places)))


def _union(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in places:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _weight(highlight: Highlight) -> tuple[int, int]:
    covered = {highlight.text[start:end].lower() for start, end in highlight.spans}
    return sum(map(len, covered)), -len(highlight.text)
