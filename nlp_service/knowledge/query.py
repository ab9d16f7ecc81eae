"""What a query asks for: its words, each with the words that say the same."""

from collections.abc import Iterable

from nlp_service.knowledge.lexical_index import Alternatives
from nlp_service.text.synonyms import synonyms

SYNONYM_WEIGHT = 0.6
"""What a synonym counts of the word itself; 0.5 to 0.7 find alike (docs/decisions/0014)."""


def alternatives(asked: Iterable[str]) -> list[Alternatives]:
    """Each of the query's different terms with its synonyms."""
    return [[(term, 1.0), *((other, SYNONYM_WEIGHT) for other in synonyms(term))] for term in asked]
