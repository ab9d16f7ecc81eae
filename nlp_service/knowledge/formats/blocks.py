"""What every document is turned into: headings and paragraphs in order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A heading; `level` from 1, the highest."""

    level: int
    text: str
    page: int | None = None
    """Page of the document, from 1, where it has pages."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, an item of a list, a row of a table or a piece of code, as plain text."""

    text: str
    page: int | None = None


Block = Heading | Paragraph


@dataclass(frozen=True)
class Content:
    """A document's blocks, and the title that it gives itself outside of them, if any."""

    blocks: list[Block]
    title: str = ""
