"""Words that mean the same in tickets, Chinese and English: ``synonyms.txt`` has a group a line."""

from functools import cache
from importlib.resources import files


def synonyms(term: str) -> tuple[str, ...]:
    """The other words of the groups that `term` is in, without repetitions; empty for most terms."""
    return _table().get(term, ())


@cache
def _table() -> dict[str, tuple[str, ...]]:
    groups = [line.split() for line in files(__package__).joinpath("synonyms.txt").read_text("utf-8").splitlines()]
    table: dict[str, dict[str, None]] = {}
    for group in groups:
        for word in group:
            table.setdefault(word, {}).update(dict.fromkeys(other for other in group if other != word))
    return {word: tuple(others) for word, others in table.items()}
