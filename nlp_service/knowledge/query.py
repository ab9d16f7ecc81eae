"""What a query asks for: its words, each with the words that say the same."""

import re
from collections.abc import Iterable, Sequence

from nlp_service.knowledge.lexical_index import Alternatives
from nlp_service.text.synonyms import synonyms

SYNONYM_WEIGHT = 0.6
"""What a synonym counts of the word itself; 0.5 to 0.7 find alike (docs/decisions/0014)."""
CODE_WEIGHT = 2.0
"""A code tells more than a word; 1.5 to 3 find alike (docs/decisions/0014)."""
BARE = 0.9
"""What a hexadecimal code counts that the query gives without its ``0x``."""
LEAST_DIGITS = 3
"""Of a number after a single letter and a space, as in ``E 1001``, that is taken for a code."""
_CODE = re.compile(r"([a-z]{1,10})([1-9][0-9]*)")
_JOINED = re.compile(r"([a-z]{1,10})[-_.:]0*([1-9][0-9]*)")
_HEAVY = re.compile(r"0x[0-9a-f]{3,}|[a-z]{1,10}[1-9][0-9]+")
_HEXADECIMAL = re.compile(r"(?=[a-f]*[0-9])[0-9a-f]{8}")


def alternatives(asked: Iterable[str]) -> list[Alternatives]:
    """Each of the query's different terms with its synonyms; a code is one term, however it is spelled.

    Records hold the common spelling of every code, so the other spellings and the parts would only be missed in them.
    """
    terms = list(asked)
    spelled_otherwise = _spelled_otherwise(terms)
    return [_same(term) for term in terms if term not in spelled_otherwise]


def words_of(asked: Sequence[Alternatives]) -> float:
    """How many words a query says; a code counts two."""
    return sum(max((weight for _, weight in same), default=0.0) for same in asked)


def _same(term: str) -> Alternatives:
    if _HEAVY.fullmatch(term):
        return [(term, CODE_WEIGHT)]
    if _HEXADECIMAL.fullmatch(term):
        return [(term, CODE_WEIGHT), (f"0x{term}", BARE * CODE_WEIGHT)]
    return [(term, 1.0), *((other, SYNONYM_WEIGHT) for other in synonyms(term))]


def _spelled_otherwise(terms: Sequence[str]) -> set[str]:
    """Other spellings of codes whose common spelling is among the terms, and their numbers and single letters."""
    joined = {match[1] + match[2]: term for term in terms if (match := _JOINED.fullmatch(term))}
    numbers = {term.lstrip("0"): term for term in terms if term.isdecimal()}
    found = {"_"}  # between the parts of a code, or of a name, it stands as a term that tells nothing
    for code in terms:
        match = _CODE.fullmatch(code)
        if match is None or match[2] not in numbers:
            continue
        prefix, number = match[1], numbers[match[2]]
        apart = len(prefix) == 1 and prefix in terms and len(number) >= LEAST_DIGITS
        if code in joined or apart:
            found |= {number, joined.get(code, number), prefix if len(prefix) == 1 else number}
    return found
