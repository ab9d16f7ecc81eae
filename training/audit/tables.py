"""Tables in Markdown (GitHub's), safe for what customers write."""

import re
from collections.abc import Iterable, Sequence

from training.audit.entry import Share

CAP = 30
NAMES = 5
NONE = "无 · none"
Cell = str | int | float | Share

_MARKUP = re.compile(r"([\\`*_\[\]<>|&~$#])")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, marks that turn the writing direction, and what UTF-8 cannot hold."""


def escape(text: str) -> str:
    """`text` on one line, to be shown as it is: no markup, cell border or invisible control is left in it."""
    return _MARKUP.sub(r"\\\1", _UNSEEN.sub("\ufffd", " ".join(text.split())))


def table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, cap: int | None = CAP) -> str:
    """A table of at most `cap` rows (None: all) and a line that counts the rest; `NONE` when there are no rows.

    Columns of numbers stand to the right.
    """
    every = list(rows)
    if not every:
        return NONE
    shown = every[:cap]
    rules = ["---" if any(isinstance(row[column], str) for row in every) else "---:" for column in range(len(headings))]
    lines = [_line(headings), _line(rules), *(_line([_format(cell) for cell in row]) for row in shown)]
    rest = len(every) - len(shown)
    return "\n".join([*lines, *(["", f"… 另有 {rest:,} 条 · and {rest:,} more"] if rest else [])])


def listed(names: Iterable[str]) -> str:
    """The first five of the names, each once, and how many more there are."""
    every = list(dict.fromkeys(names))
    rest = len(every) - NAMES
    return ", ".join(every[:NAMES]) + (f", … +{rest}" if rest > 0 else "")


def _format(cell: Cell) -> str:
    match cell:
        case str():
            return escape(cell)
        case Share():
            return f"{cell.part:,} / {cell.whole:,} ({cell.value:.1%})"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.3f}".rstrip("0").removesuffix(".")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
