"""What search knows of a record: the text that is encoded, the text whose terms count, and its facets."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Row

from nlp_service.knowledge.article import passage, searchable
from nlp_service.knowledge.facets import Facets
from nlp_service.knowledge.highlight import Readable
from nlp_service.knowledge.keys import Kind, key_of
from nlp_service.storage.tables import Article, Feedback
from nlp_service.text.headline import headline


@dataclass(frozen=True)
class Document:
    """A searchable record, as it is shown: an article, or a ticket as a case."""

    kind: Kind
    id: int
    external_id: str | None
    title: str
    problem: str
    scenario: str
    solution: str
    product: str | None
    module: str | None
    tags: list[str]
    status: str
    at: datetime
    """When an article was last changed, when a case was written."""

    @property
    def key(self) -> int:
        """Its number in the indexes."""
        return key_of(self.kind, self.id)

    @property
    def passage(self) -> str:
        """The text that is encoded: what a user would describe."""
        return passage(self.title if self.kind == "article" else "", self.problem, self.scenario)

    @property
    def told(self) -> str:
        """What a reranker reads: what a user would describe, and how it was solved."""
        return f"{self.passage}\n{self.solution}"

    @property
    def fields(self) -> dict[str, str]:
        """The texts that a hit is explained by, by name."""
        return {"title": self.title, "problem": self.problem, "scenario": self.scenario, "solution": self.solution}

    @cached_property
    def readable(self) -> dict[str, Readable]:
        """Those texts, as terms are looked for in them."""
        return {name: Readable.of(text) for name, text in self.fields.items()}

    @property
    def text(self) -> str:
        """Everything whose terms count."""
        title = self.title if self.kind == "article" else ""
        return searchable(title, self.problem, self.scenario, self.solution, self.tags, self.product, self.module)

    @property
    def facets(self) -> Facets:
        """What filters compare."""
        return Facets(self.kind, self.product, self.module, self.scenario, frozenset(self.tags), self.status, self.at)


_COMMON = ("id", "external_id", "scenario", "solution", "product", "tags", "status")
ARTICLE_COLUMNS = (*_COMMON, "title", "problem", "updated_at")
CASE_COLUMNS = (*_COMMON, "text", "module", "created_at")


def article_document(article: Article | Row[Any]) -> Document:
    """An article, or a row with its ARTICLE_COLUMNS."""
    return Document(
        kind="article",
        id=article.id,
        external_id=article.external_id,
        title=article.title,
        problem=article.problem,
        scenario=article.scenario,
        solution=article.solution,
        product=article.product,
        module=None,
        tags=article.tags,
        status=article.status,
        at=article.updated_at,
    )


def case_document(ticket: Feedback | Row[Any]) -> Document:
    """A ticket, or a row with its CASE_COLUMNS; it has no title of its own, so its first words are one."""
    return Document(
        kind="case",
        id=ticket.id,
        external_id=ticket.external_id,
        title=headline(ticket.text),
        problem=ticket.text,
        scenario=ticket.scenario,
        solution=ticket.solution or "",
        product=ticket.product,
        module=ticket.module,
        tags=ticket.tags,
        status=ticket.status,
        at=ticket.created_at,
    )
