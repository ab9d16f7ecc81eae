"""An encoder that keeps passages waiting until it is told."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from nlp_service.app import create_app
from nlp_service.inference.batching import Batcher
from nlp_service.inference.encoder import Side, Vectors
from nlp_service.inference.engine import Engine
from nlp_service.knowledge import searches
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.tables import ArticleVector
from tests.conftest import opened


class HeldBatcher(Batcher):
    """The real encoder, which passages wait for until `go` is set."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.search.encoder)
        self.asked, self.go = threading.Event(), threading.Event()

    def encode(self, texts: Sequence[str], side: Side = "query") -> Vectors:
        self.asked.set()
        self.go.wait(60)
        return super().encode(texts, side)


@contextmanager
def started_at_once() -> Iterator[None]:
    """Services that start meanwhile do not wait for indexes that are not complete."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches, "START_SECONDS", 0.0)
        yield


@contextmanager
def rebuilding_service(settings: Settings, engine: Engine, article: ArticleCreate) -> Iterator[TestClient]:
    """A service that has just started, with an article whose vector is being computed."""
    with opened(settings.resolved_database_url) as database:
        database.migrate()
        ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint).create(article)
        with database.write() as session:
            session.execute(delete(ArticleVector))
    held = HeldBatcher(engine)
    with started_at_once(), TestClient(create_app(settings, engine.searching_with(held))) as started:
        assert held.asked.wait(60)  # the words have been read by then
        yield started
        held.go.set()
    held.close()
