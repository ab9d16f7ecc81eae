"""What the search encoder learns from: texts that ask the same, texts that only look the same, queries and articles."""

import csv
import hashlib
import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nlp_service.knowledge.article import ArticleCreate, passage, searchable
from training.base.spec import Prefixes
from training.data.example import Split
from training.data.sources import DataError, read_lines

HELD_OUT = 1 / 6
"""Share of the groups, and of the articles with their queries, to choose by; as many again to test on."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wordings(_Record):
    """A line of ``data/search/wordings.jsonl``: one matter in several wordings, and matters that look alike."""

    id: str
    field: str
    same: tuple[str, ...] = Field(min_length=2)
    different: tuple[str, ...] = ()


class Query(_Record):
    """A line of ``data/search/queries.jsonl``: a query and the article that answers it."""

    id: str
    query: str
    external_id: str
    kind: Literal["terse", "symptom", "free"]
    language: Literal["zh", "zh-Hant", "en", "mixed"]
    held_out: bool = False
    """Nothing is trained on it or chosen by it, whatever its article."""

    @property
    def split(self) -> Split:
        """That of its article, unless it is held out: then it tests."""
        return "test" if self.held_out else split_of(self.external_id)


@dataclass(frozen=True)
class Triplet:
    """Two texts that belong together, and some that do not, all with prefix; others of its `group` are no negatives."""

    anchor: str
    positive: str
    negatives: tuple[str, ...]
    group: str


@dataclass(frozen=True)
class SearchData:
    """Everything that the project itself holds."""

    wordings: list[Wordings]
    queries: list[Query]
    articles: dict[str, ArticleCreate]
    """By external id."""


def read_search_data(folder: Path, knowledge: Path) -> SearchData:
    """Raises DataError for a broken line, or a query whose article does not exist."""
    articles = {
        article.external_id: article
        for file in sorted(knowledge.glob("*.jsonl"))
        for article in read_lines(file, ArticleCreate)
        if article.external_id
    }
    queries = read_lines(folder / "queries.jsonl", Query)
    if lost := next((query for query in queries if query.external_id not in articles), None):
        raise DataError(f"{folder / 'queries.jsonl'}: {lost.id}: external_id: no article {lost.external_id!r}")
    return SearchData(read_lines(folder / "wordings.jsonl", Wordings), queries, articles)


def split_of(key: str) -> Split:
    """By a hash of the group's or the article's id, so that new ones never move old ones."""
    position = int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") / 2**48
    return "test" if position < HELD_OUT else "validation" if position < 2 * HELD_OUT else "train"


def passage_of(article: ArticleCreate) -> str:
    """The text of an article as the service encodes it, without prefix."""
    return passage(article.title, article.problem, article.scenario)


def searched_text(article: ArticleCreate) -> str:
    """The text of an article whose terms the service counts."""
    return searchable(article.title, article.problem, article.scenario, article.solution, article.tags, article.product)


def wording_triplets(wordings: Sequence[Wordings], prefix: Prefixes) -> Iterator[Triplet]:
    """Every pair of wordings of a group, with the texts that look alike as hard negatives."""
    for group in wordings:
        negatives = tuple(prefix.query + text for text in group.different)
        for first, second in itertools.combinations(group.same, 2):
            yield Triplet(prefix.query + first, prefix.query + second, negatives, group.id)


def article_triplets(
    queries: Sequence[Query], articles: dict[str, ArticleCreate], hard: dict[str, list[str]], prefix: Prefixes
) -> Iterator[Triplet]:
    """Each query, and each problem, with its article; `hard` names for each query the articles mistaken for it."""
    for query in queries:
        negatives = tuple(prefix.passage + passage_of(articles[other]) for other in hard.get(query.id, []))
        positive = prefix.passage + passage_of(articles[query.external_id])
        yield Triplet(prefix.query + query.query, positive, negatives, query.external_id)
    for key in dict.fromkeys(query.external_id for query in queries):
        article = articles[key]
        yield Triplet(prefix.query + article.problem, prefix.passage + passage_of(article), (), key)


def intent_triplets(file: Path, prefix: Prefixes, pairs: int, seed: int) -> Iterator[Triplet]:
    """Pairs of customers' questions of one intent, such as PolyAI's banking77 (CC BY 4.0).

    Raises DataError when the CSV has no column `text` or `label`.
    """
    by_intent: defaultdict[str, list[str]] = defaultdict(list)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        if missing := {"text", "label"} - set(reader.fieldnames or ()):
            raise DataError(f"{file}: 缺少列 · no column {', '.join(sorted(missing))}")
        for row in reader:
            by_intent[row["label"]].append(row["text"].strip())
    generator = random.Random(seed)
    intents = sorted(intent for intent, texts in by_intent.items() if len(texts) > 1)
    for _ in range(pairs):
        intent = generator.choice(intents)
        first, second = generator.sample(by_intent[intent], 2)
        yield Triplet(prefix.query + first, prefix.query + second, (), f"intent {intent}")
