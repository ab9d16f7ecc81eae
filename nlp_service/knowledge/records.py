"""One record of an import: checked, or bad with its place and the reason.

Reasons name fields, never what stood in them: a file may hold personal data.
"""

import hashlib
from dataclasses import dataclass

from pydantic import ValidationError

from nlp_service.knowledge.article import ArticleCreate
from nlp_service.wording import message_of, printable


@dataclass(frozen=True)
class Raw:
    """A record as it was read, not checked yet."""

    place: str
    record: object


@dataclass(frozen=True)
class Good:
    """A record that can be stored, and where in its file it stands (line, row, section, page)."""

    place: str
    article: ArticleCreate


@dataclass(frozen=True)
class Bad:
    """A record, or a whole file when `place` is empty, that cannot be stored, and why."""

    place: str
    reason: str


Entry = Good | Bad
CONTENT_FIELDS = ("title", "problem", "scenario", "solution", "product")


def check(place: str, record: object) -> Entry:
    """Validate one record."""
    try:
        return Good(place, ArticleCreate.model_validate(record))
    except ValidationError as error:
        return Bad(place, reason(error))


def reason(error: ValidationError) -> str:
    """The first thing that is wrong with a record, naming the field."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = printable(".".join(map(str, first["loc"])) or "record")
    return f"{place[:60]}: {message_of(first)}"


def content_id(title: str, problem: str, scenario: str, solution: str, product: str | None) -> str:
    """A key made from the texts and the product, for an article that has none: the same texts, the same key."""
    texts = (title, problem, scenario, solution, product or "")
    return f"content-{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()[:32]}"
