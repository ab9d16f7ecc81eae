"""Names that a plot can show with the fonts of this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
from matplotlib.font_manager import FontEntry, FontProperties, fontManager
from matplotlib.ft2font import FT2Font

MAX_CHARACTERS = 28
PLACEHOLDERS = "Last Resort"
"""A font that comes with matplotlib and shows every character as a box with its number."""


@dataclass(frozen=True)
class Names:
    """What stands in a plot for some names, the font for it, and the names behind stand-ins (empty without any)."""

    shown: tuple[str, ...]
    font: FontProperties
    legend: Mapping[str, str]


def names_for(names: Sequence[str], stand_in: str, *, longest: int = MAX_CHARACTERS) -> Names:
    """The names themselves, cut at `longest` characters, or ``<stand_in> 1`` … when no font has what they need."""
    clean = tuple(_clean(name, longest) for name in names)
    characters = frozenset("".join(clean))
    font = font_with(characters)
    if font is not None:
        return Names(clean, font, {})
    shown = tuple(f"{stand_in} {number}" for number in range(1, len(names) + 1))
    return Names(shown, default_font(), dict(zip(shown, names, strict=True)))


def default_font() -> FontProperties:
    """The font that matplotlib itself carries, so that plots look the same everywhere."""
    return FontProperties(fname=Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


@lru_cache
def font_with(characters: frozenset[str]) -> FontProperties | None:
    """The default font if it has all the characters, else the first upright regular one installed that has."""
    if _has(str(default_font().get_file()), characters):
        return default_font()
    for entry in sorted(fontManager.ttflist, key=_rank):
        if not entry.name.startswith(PLACEHOLDERS) and _has(entry.fname, characters):
            return FontProperties(fname=entry.fname)
    return None


def _rank(entry: FontEntry) -> tuple[bool, bool, str]:
    return entry.style != "normal", str(entry.weight) not in {"400", "normal", "regular"}, entry.name


def _has(file: str, characters: frozenset[str]) -> bool:
    try:
        font = FT2Font(file)
    except (OSError, RuntimeError):  # a font that is damaged, or of pictures of one size (emoji)
        return False
    return font.scalable and all(font.get_char_index(ord(character)) for character in characters)


def _clean(name: str, longest: int) -> str:
    """On one line and without invisible characters."""
    printable = "".join(character for character in " ".join(name.split()) if character.isprintable())
    return printable if len(printable) <= longest else printable[: longest - 1] + "…"
