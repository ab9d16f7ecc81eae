"""As many articles as asked for, in a database of the service, with vectors and without encoding them.

Each is made of what this project's texts say. A passage (an article, a ticket or a review) is its problem, with a
sentence of another one; two articles lend it product, tags and the lines of its solution; a version and a code of its
own set it apart. Its vector is that of the passage, perturbed as `benchmarks/vector_corpus.py` says. So words and
vectors are as frequent and as near to each other as in real texts, and a query finds both.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from benchmarks.vector_corpus import Seeds, Vectors, passages, synthesise
from nlp_service.cli.console import progress
from nlp_service.knowledge.article import PROBLEM_LIMIT, ArticleCreate, content_hash, passage
from nlp_service.knowledge.highlight import sentences
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article, ArticleChange, ArticleVector
from nlp_service.text.headline import headline

CODES = ("E", "ERR-", "ORA-", "HTTP ", "0x8007", "BUG", "TS-")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class Writer:
    """Writes articles out of what others say; the same ones for the same seed."""

    def __init__(self, data: Path, seed: int = 1) -> None:
        self.texts = list(dict.fromkeys(passages(data)))
        self._articles = [
            json.loads(line)
            for file in sorted((data / "knowledge").glob("*.jsonl"))
            for line in file.read_text("utf-8").splitlines()
        ]
        self._random = np.random.default_rng(seed)

    def write(self, number: int, row: int) -> ArticleCreate:
        """The article of this number, from 0, about the passage in this row of `texts`."""
        one, other = (self._articles[place] for place in self._random.integers(len(self._articles), size=2))
        code = f"{self._pick(CODES)}{number:05d}"
        version = ".".join(map(str, self._random.integers((1, 0, 0), (13, 30, 10))))
        lines = sorted(one["solution"].splitlines()[1:], key=lambda _: self._random.random())
        added = self._pick(sentences(self.texts[self._random.integers(len(self.texts))]) or [""])
        return ArticleCreate(
            title=f"{headline(self.texts[row])} {code}",
            problem=f"{self.texts[row]}\n{added}"[:PROBLEM_LIMIT],
            scenario=f"{self._pick(sentences(one['scenario']) or [''])} {version}",
            solution="\n".join([*lines[:4], *other["solution"].splitlines()[:3]]),
            tags=[*one["tags"][:2], *other["tags"][-1:]],
            product=one["product"],
            external_id=f"B-{number:06d}",
            status="published",
        )

    def _pick(self, values: Sequence[str]) -> str:
        return values[int(self._random.integers(len(values)))]


def make_articles(database: Database, seeds: Seeds, data: Path, count: int, encoder: str) -> None:
    """Fill a database with `count` articles and their vectors by the `encoder` of this fingerprint."""
    database.migrate()
    writer = Writer(data)
    rng = np.random.default_rng(2)
    rows = rng.integers(len(seeds.passages), size=count)
    number = 0
    with progress() as bar:
        task = bar.add_task("文章 · articles", total=count)
        for vectors in synthesise(seeds.passages, rows, rng):
            written = [writer.write(number + place, int(rows[number + place])) for place in range(len(vectors))]
            _store(database, number, written, vectors, encoder)
            number += len(vectors)
            bar.advance(task, len(vectors))


def _store(database: Database, first: int, written: Sequence[ArticleCreate], vectors: Vectors, encoder: str) -> None:
    with database.write() as session:
        session.execute(insert(Article), list(_rows(first, written)))
        session.execute(
            insert(ArticleVector),
            [
                {
                    "record_id": first + place + 1,
                    "encoder": encoder,
                    "content": content_hash(passage(article.title, article.problem, article.scenario)),
                    "vector": vector.astype("<f4").tobytes(),
                }
                for place, (article, vector) in enumerate(zip(written, vectors, strict=True))
            ],
        )
        session.execute(insert(ArticleChange), [{"record_id": first + place + 1} for place in range(len(written))])


def _rows(first: int, written: Sequence[ArticleCreate]) -> Iterator[dict[str, Any]]:
    for place, article in enumerate(written):
        at = FIRST + timedelta(minutes=first + place)
        yield {**article.model_dump(), "id": first + place + 1, "created_at": at, "updated_at": at}
