"""How well an encoder finds: ROC AUC of pairs, recall and reciprocal rank of articles."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.encoder import normalise
from nlp_service.text.segmentation import terms
from training.data.example import Split
from training.data.sources import DataError
from training.metrics import Figure
from training.search.pairs import Query, SearchData, Wordings, passage_of, split_of

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]
"""Pooled vectors of texts that have their prefix already or get it inside, shape (texts, dimension)."""
SAMPLES = 1000
BM25_K1, BM25_B = 1.5, 0.75


@dataclass(frozen=True)
class PairSet:
    """Two texts a row, and whether they mean the same."""

    name: str
    left: list[str]
    right: list[str]
    same: NDArray[np.bool_]


@dataclass(frozen=True)
class RetrievalSet:
    """Queries, passages, and the passage that answers each query."""

    name: str
    queries: list[str]
    passages: list[str]
    answer: NDArray[np.int64]


def read_pairs(name: str, file: Path) -> PairSet:
    """From a TSV of text, text, 1 or 0; raises DataError for a row of another form."""
    rows = []
    with file.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
            if len(row) != 3 or row[2] not in {"0", "1"}:
                raise DataError(f"{file}:{number}: needs text, text and 0 or 1")
            rows.append(row)
    return PairSet(name, [row[0] for row in rows], [row[1] for row in rows], np.array([row[2] == "1" for row in rows]))


def read_faq(articles: Path, queries: Path) -> RetrievalSet:
    """From JSON Lines of ``pid, faqs: [{question, answers}]`` and ``query, gold_pid``."""
    documents = [json.loads(line) for line in articles.read_text("utf-8").split("\n") if line.strip()]
    places = {document["pid"]: place for place, document in enumerate(documents)}
    asked = [json.loads(line) for line in queries.read_text("utf-8").split("\n") if line.strip()]
    passages = [
        "\n".join(f"{faq['question']} {' '.join(faq['answers'])}" for faq in document["faqs"]) for document in documents
    ]
    return RetrievalSet(
        articles.stem, [query["query"] for query in asked], passages, np.array([places[q["gold_pid"]] for q in asked])
    )


def own_pairs(wordings: Sequence[Wordings], split: Split) -> PairSet:
    """Wordings of a group against each other, and against those that only look alike."""
    rows: list[tuple[str, str, bool]] = []
    for group in wordings:
        if split_of(group.id) != split:
            continue
        for index, text in enumerate(group.same):
            rows.extend((text, other, True) for other in group.same[index + 1 :])
            rows.extend((text, other, False) for other in group.different)
    left, right, same = (list(column) for column in zip(*rows, strict=True))
    return PairSet(f"wordings/{split}", left, right, np.array(same, bool))


def own_queries(data: SearchData, split: Split) -> RetrievalSet:
    """The held-out queries against all articles."""
    keys = list(data.articles)
    chosen: list[Query] = [query for query in data.queries if query.split == split]
    return RetrievalSet(
        f"queries/{split}",
        [query.query for query in chosen],
        [passage_of(data.articles[key]) for key in keys],
        np.array([keys.index(query.external_id) for query in chosen], np.int64),
    )


def roc_auc(scores: NDArray[np.floating], same: NDArray[np.bool_]) -> float:
    """Probability that a pair of one meaning scores higher than one of two (Hanley & McNeil 1982)."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(same, scores))


def pair_figure(pairs: PairSet, encode_query: Encode) -> Figure:
    """ROC AUC of the cosines, with its interval."""
    texts = list(dict.fromkeys([*pairs.left, *pairs.right]))
    vectors = dict(zip(texts, normalise(encode_query(texts)), strict=True))
    scores = np.array([vectors[a] @ vectors[b] for a, b in zip(pairs.left, pairs.right, strict=True)])
    generator = np.random.default_rng(0)
    values = []
    for _ in range(200):
        rows = generator.integers(0, len(scores), len(scores))
        values.append(roc_auc(scores[rows], pairs.same[rows]))
    low, high = np.percentile(values, [2.5, 97.5])
    return Figure(roc_auc(scores, pairs.same), float(low), float(high))


def ranks(scores: NDArray[np.floating], answer: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank, from 1, of each query's answer; scores of shape (queries, passages). Ties count against it."""
    own = scores[np.arange(len(answer)), answer]
    found: NDArray[np.int64] = (scores >= own[:, None]).sum(axis=1)
    return found


def retrieval_figures(found: NDArray[np.int64]) -> dict[str, Figure]:
    """recall@1, recall@5, recall@10 and mean reciprocal rank, each with its interval."""
    generator = np.random.default_rng(0)
    rows = generator.integers(0, len(found), (SAMPLES, len(found)))
    measures = {
        "recall@1": (found <= 1).astype(float),
        "recall@5": (found <= 5).astype(float),
        "recall@10": (found <= 10).astype(float),
        "MRR": 1 / found,
    }
    return {
        name: Figure(float(values.mean()), *map(float, np.percentile(values[rows].mean(axis=1), [2.5, 97.5])))
        for name, values in measures.items()
    }


def dense_scores(retrieval: RetrievalSet, encode_query: Encode, encode_passage: Encode) -> NDArray[np.float32]:
    """Cosines, shape (queries, passages)."""
    scores: NDArray[np.float32] = (
        normalise(encode_query(retrieval.queries)) @ normalise(encode_passage(retrieval.passages)).T
    )
    return scores


def bm25_scores(retrieval: RetrievalSet) -> NDArray[np.float64]:
    """BM25 over jieba's terms (Robertson & Zaragoza 2009), shape (queries, passages)."""
    documents = [terms(text) for text in retrieval.passages]
    lengths = np.array([len(document) for document in documents], float)
    vocabulary = {term: number for number, term in enumerate(sorted({term for doc in documents for term in doc}))}
    counts = np.zeros((len(documents), len(vocabulary)))
    for row, document in enumerate(documents):
        np.add.at(counts[row], [vocabulary[term] for term in document], 1)
    present = (counts > 0).sum(axis=0)
    idf = np.log(1 + (len(documents) - present + 0.5) / (present + 0.5))
    norm = BM25_K1 * (1 - BM25_B + BM25_B * lengths / lengths.mean())[:, None]
    weights = idf * counts * (BM25_K1 + 1) / (counts + norm)
    scores = np.zeros((len(retrieval.queries), len(documents)))
    for row, query in enumerate(retrieval.queries):
        known = [vocabulary[term] for term in terms(query) if term in vocabulary]
        scores[row] = weights[:, known].sum(axis=1)
    return scores
