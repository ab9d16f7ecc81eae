"""The YAML lines in front of a Markdown text."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.table import split_tags

FIELDS = ("title", "tags", "product", "external_id", "status")
MAX_CHARACTERS = 40_000
"""As many as the fields of an article take when most of their characters are written as escapes."""
_FENCE = re.compile(r"---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """What the front matter says, and the text after it.

    Raises InvalidRecord when it is no YAML.
    """
    match = _FENCE.match(text[:MAX_CHARACTERS])
    if match is None:
        return {}, text
    try:
        given = yaml.safe_load(match[1])
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", 第 {mark.line + 2} 行 · line {mark.line + 2}" if mark is not None else ""
        raise InvalidRecord(f"文首的 YAML 有误 · the front matter is not valid YAML{line}", place=0) from error
    if not isinstance(given, dict):
        return {}, text
    return given, text[match.end() :]


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an article that a front matter gives; other keys are passed over."""
    return {name: value_of(name, given[name]) for name in FIELDS if given.get(name) not in (None, "", [])}


def value_of(name: str, value: object) -> object:
    """The value of a field, since YAML reads numbers and dates where a text is meant."""
    if name != "tags":
        return _text(value)
    if isinstance(value, list):
        return [_text(tag) for tag in value]
    return split_tags(value) if isinstance(value, str) else value


def _text(value: object) -> object:
    return value if isinstance(value, str | list | dict) else str(value)
