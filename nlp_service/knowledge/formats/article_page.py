"""An article as a Markdown file of its own: short fields in the front matter, then a heading for each text.

The lines under a heading are the text as it stands, no matter what they would mean in Markdown; a line that could be
taken for one of the headings has a backslash in front. So what was written reads as it was.
"""

import re
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from nlp_service.knowledge.formats.front_matter import value_of
from nlp_service.knowledge.formats.table import CHINESE_NAMES, COLUMNS
from nlp_service.knowledge.records import Bad, Entry, check

KEY, FORMAT = "format", "nlp-service/article"
BEGINNING = f"---\n{KEY}: {FORMAT}\n"
"""How every file begins."""
HEADINGS = {f"## {CHINESE_NAMES[name][0]}": name for name in ("problem", "scenario", "solution")}
SHORT = tuple(name for name in COLUMNS if name not in HEADINGS.values())
_HEADING = re.compile(rf"^(\\*)({'|'.join(HEADINGS)})[ \t]*$", re.MULTILINE)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # no types
    """Writes U+0085 as an escape: as a line break, which YAML takes it for, it would be read as a space."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\x85" in text else None)


_Dumper.add_representer(str, _represent)


def page_of(article: Mapping[str, Any]) -> str:
    """The whole file of an article; `read_page` reads it back."""
    front = {name: article[name] for name in SHORT if article[name]}
    fields = yaml.dump(front, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=sys.maxsize)
    texts = "".join(
        f"\n{heading}\n\n{_HEADING.sub(_escaped, article[name])}\n"
        for heading, name in HEADINGS.items()
        if article[name]
    )
    return f"{BEGINNING}{fields}---\n{texts}"


def read_page(given: Mapping[str, Any], text: str) -> Entry:
    """The article of a file with the front matter `given` and the `text` after it; what is missing is empty."""
    texts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in _unix(text).split("\n"):
        heading = _HEADING.fullmatch(line)
        if heading is None or heading[1]:
            lines.append(line if heading is None else line[1:])
        elif (name := HEADINGS[heading[2]]) in texts:
            return Bad("", f"{name}: 标题“{heading[2]}”出现两次 · the heading stands twice")
        elif not texts and any(map(str.strip, lines)):
            break
        else:
            lines = texts[name] = []
    if not texts:
        names = "、".join(HEADINGS)
        return Bad("", f"正文须在这些标题之下 · the text must stand under these headings: {names}")
    short = {name: value_of(name, given[name]) for name in SHORT if given.get(name) is not None}
    return check(
        "", {"tags": [], "product": None} | short | {name: "\n".join(texts.get(name, [])) for name in HEADINGS.values()}
    )


def _escaped(heading: re.Match[str]) -> str:
    return f"\\{heading[0]}"


def _unix(text: str) -> str:
    """`text` with the line ends that it was written with, where a tool gave all of them a carriage return."""
    return text.replace("\r\n", "\n") if text.partition("\n")[0].endswith("\r") else text
