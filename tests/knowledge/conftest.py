"""A database of each test's own, and articles that differ only in what a test names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database

FINGERPRINT = "f" * 64


def new_article(**changes: object) -> ArticleCreate:
    """A valid article with `changes`."""
    base = {"title": "登录失败", "problem": "输入密码后提示超时", "solution": "检查网络后重试"}
    return ArticleCreate.model_validate({**base, **changes})


class RecordingEncoder:
    """The real encoder; remembers what it was asked to encode, and can be told to break."""

    def __init__(self, engine: Engine) -> None:
        self.texts: list[str] = []
        self.breaks_at: str | None = None
        """A text in which this occurs raises RuntimeError instead of being encoded."""
        self._engine = engine

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.breaks_at is not None and any(self.breaks_at in text for text in texts):
            raise RuntimeError("the encoder broke")
        self.texts.extend(texts)
        return self._engine.encode_passages(texts)


@pytest.fixture
def encoder(engine: Engine) -> RecordingEncoder:
    return RecordingEncoder(engine)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    created = Database(f"sqlite:///{tmp_path / 'db' / 'nlp.db'}")
    created.migrate()
    yield created
    created.close()


@pytest.fixture
def store(database: Database, encoder: RecordingEncoder) -> ArticleStore:
    return ArticleStore(database, encoder, FINGERPRINT)
