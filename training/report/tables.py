"""Pieces of Markdown: names that stay what they are, figures with their interval, tables."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_SPECIAL = re.compile(r"[\\`*_\[\]<>#|~&$]")
NONE = "–"


def escape(name: str) -> str:
    """A name as one line of plain text: without invisible characters, and with Markdown's own ones escaped."""
    line = "".join(character for character in " ".join(name.split()) if character.isprintable())
    return _SPECIAL.sub(r"\\\g<0>", line)


def interval(figure: Mapping[str, float] | None, *, sign: bool = False) -> str:
    """``0.912 [0.887, 0.935]``, or a dash; with `sign` also of what is positive."""
    if figure is None:
        return NONE
    form = "+.3f" if sign else ".3f"
    return f"{figure['value']:{form}} [{figure['low']:{form}}, {figure['high']:{form}}]"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, names: int = 1) -> str:
    """A Markdown table with `names` columns to the left, the others to the right. Cells are taken as they are."""
    lines = [header, [*["---"] * names, *["---:"] * (len(header) - names)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def image(description: str, file: str) -> str:
    """A plot beside the report."""
    return f"![{escape(description)}]({file})"
