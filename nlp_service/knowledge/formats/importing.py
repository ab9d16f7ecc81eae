"""Articles on their way into the store: each with a key, in batches."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import select

from nlp_service.knowledge.article import ArticleCreate, ArticleUpdate
from nlp_service.knowledge.author import ANYBODY, Author
from nlp_service.knowledge.records import CONTENT_FIELDS, content_id
from nlp_service.knowledge.store import ArticleStore, ImportCounts
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article

BATCH = 64


class Importer:
    """Stores articles, and counts what became of them. Storing the same ones again changes nothing.

    An article without external id gets one from its content; but where the store holds the same texts without external
    id, that article is updated.
    """

    def __init__(self, store: ArticleStore, database: Database, author: Author = ANYBODY) -> None:
        self.counts = ImportCounts()
        self._author = author
        self._store = store
        self._database = database
        self._without_id: dict[str, int] | None = None

    def add(self, articles: Sequence[ArticleCreate]) -> None:
        """Store a batch, all of it or none, but for those that the store holds without external id.

        Raises Forbidden by the author's rights, before anything is stored.
        """
        keyed: list[ArticleCreate] = []
        changes: list[tuple[int, ArticleUpdate]] = []
        for article in articles:
            if article.external_id is not None:
                keyed.append(article)
            elif (known := self._known(_content_id(article))) is not None:
                changes += self._changes(known, article)
            else:
                keyed.append(article.model_copy(update={"external_id": _content_id(article)}))
        counts = self._store.import_articles(keyed, author=self._author)
        for article_id, change in changes:
            self._store.update(article_id, change, author=self._author)
        self.counts.created += counts.created
        self.counts.updated += counts.updated + len(changes)
        self.counts.unchanged += counts.unchanged + len(articles) - len(keyed) - len(changes)

    def _known(self, key: str) -> int | None:
        if self._without_id is None:
            self._without_id = dict(_without_id(self._database))
        return self._without_id.get(key)

    def _changes(self, article_id: int, given: ArticleCreate) -> list[tuple[int, ArticleUpdate]]:
        """What is to be changed of a stored article, if anything."""
        stored = self._store.get(article_id)
        values = given.model_dump(exclude_unset=True, exclude={"external_id"})
        changed = {name: value for name, value in values.items() if getattr(stored, name) != value}
        if not changed:
            return []
        self._author.check(stored.status, changed.get("status", stored.status))
        return [(article_id, ArticleUpdate.model_validate(changed))]


def batches(articles: Iterable[ArticleCreate], size: int = BATCH) -> Iterator[list[ArticleCreate]]:
    """The articles in lists of `size`, as they come."""
    iterator = iter(articles)
    while batch := list(islice(iterator, size)):
        yield batch


def _content_id(article: ArticleCreate) -> str:
    return content_id(**article.model_dump(include=set(CONTENT_FIELDS)))


def _without_id(database: Database) -> Iterator[tuple[str, int]]:
    """Content key and id of the stored articles that have no external id."""
    columns = [getattr(Article, name) for name in ("id", *CONTENT_FIELDS)]
    query = select(*columns).where(Article.external_id.is_(None)).execution_options(yield_per=200)
    with database.read() as session:
        for row in session.execute(query).mappings():
            yield content_id(**{name: row[name] for name in CONTENT_FIELDS}), row["id"]
