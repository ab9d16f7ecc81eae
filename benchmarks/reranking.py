"""What the reranker that serves adds to the hybrid search, on the sets of `benchmarks.retrieval`.

``python -m benchmarks.reranking [--faq ARTICLES.jsonl QUERIES.jsonl] [--top 10 --top 20] [--result FILE.json]``. With
`--top` so many of the first hits are ranked again, by the weights of the bundle, and, to compare, by the score alone.
Differences are paired, with 95 % bootstrap intervals over the queries; milliseconds are those of scoring a query's hits
alone, one query after the other.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.retrieval import RetrievalTask, faq_task, own_tasks
from nlp_service.cli.console import output
from nlp_service.errors import ServiceError
from nlp_service.inference.bundle import Reranking
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.pairs import pair
from nlp_service.inference.release import RERANKER, SEARCH, read_release
from nlp_service.inference.search_encoder import SearchEncoder
from nlp_service.settings import Settings
from training.search.pairs import Query, SearchData
from training.search.reranking import Candidates, Score, candidates

SAMPLES = 10_000
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One way to rank one set; differences to the hybrid search are (mean, low, high)."""

    name: str
    way: str
    queries: int
    recall: float
    reciprocal_rank: float
    recall_difference: tuple[float, float, float]
    rank_difference: tuple[float, float, float]
    milliseconds: float


def found_of(task: RetrievalTask, encoder: SearchEncoder, top: int) -> Candidates:
    """The first hits of the hybrid search for each question."""
    articles = {article.external_id or "": article for article in task.articles}
    queries = [
        Query(id=str(number), query=question.query, external_id=question.external_id[0], kind="free", language="zh")
        for number, question in enumerate(task.questions)
    ]
    return candidates(SearchData([], queries, articles), queries, encoder, top)


def measure(name: str, found: Candidates, score: Score, reranking: Reranking, tops: Sequence[int]) -> list[Row]:
    """The hybrid search, and for each of `tops` both ways to rank again."""
    plain = _places(-np.arange(found.logits.shape[1])[None].repeat(len(found.queries), 0).astype(float), found.answer)
    rows = [_row(name, "hybrid", plain, plain, 0.0)]
    for top in tops:
        started = time.perf_counter()
        scores = np.stack(
            [
                score([pair(query, passage) for passage in passages[:top]])[:, 0]
                for query, passages in zip(found.queries, found.passages, strict=True)
            ]
        )
        milliseconds = (time.perf_counter() - started) / len(found.queries) * 1000
        both = reranking.fused * found.logits[:, :top] + reranking.scored * scores
        for way, strengths in ((f"{top} reranked", both), (f"{top} by the score alone", scores.astype(float))):
            rows.append(_row(name, way, _places(_first(strengths, found), found.answer), plain, milliseconds))
    return rows


def _first(strengths: Values, found: Candidates) -> Values:
    """With the hits that were not scored behind the others, as they were."""
    rest = found.logits.shape[1] - strengths.shape[1]
    behind = strengths.min(axis=1, keepdims=True) - 1 - np.arange(rest)
    return np.concatenate([strengths, behind], axis=1)


def _places(strengths: Values, answer: NDArray[np.int64]) -> Values:
    """The reciprocal rank of each answer, 0 where it was not found."""
    order = np.argsort(-strengths, axis=1, kind="stable")
    right = order == answer[:, None]
    reciprocal: Values = np.where(right.any(axis=1), 1 / (right.argmax(axis=1) + 1), 0.0)
    return reciprocal


def _row(name: str, way: str, now: Values, before: Values, milliseconds: float) -> Row:
    drawn = np.random.default_rng(0).integers(0, len(now), (SAMPLES, len(now)))

    def difference(values: Values) -> tuple[float, float, float]:
        low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
        return float(values.mean()), float(low), float(high)

    first = (now == 1).astype(float)
    return Row(
        name=name,
        way=way,
        queries=len(now),
        recall=float(first.mean()),
        reciprocal_rank=float(now.mean()),
        recall_difference=difference(first - (before == 1)),
        rank_difference=difference(now - before),
        milliseconds=milliseconds,
    )


def show(rows: Sequence[Row]) -> None:
    """Print a table."""
    table = Table("set", "queries", "way", "recall@1", "difference", "MRR", "difference", "ms")
    for row in rows:
        recall, rank = (
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*values) for values in (row.recall_difference, row.rank_difference)
        )
        figures = (f"{row.recall:.3f}", recall, f"{row.reciprocal_rank:.3f}", rank, f"{row.milliseconds:.0f}")
        table.add_row(row.name, str(row.queries), row.way, *figures)
    output.print(table)


def main(
    faq: Annotated[tuple[Path, Path] | None, typer.Option(help="ARTICLES.jsonl QUERIES.jsonl")] = None,
    top: Annotated[list[int] | None, typer.Option(min=2, max=100, help="hits ranked again; default 10, 20")] = None,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Print a table."""
    settings = Settings()
    serving = read_release(settings.bundles_dir).serving
    if RERANKER not in serving:
        raise ServiceError("没有正在服务的重排模型 · no reranker serves: nlp-service models reranker FOLDER")
    search = SearchEncoder(settings.bundles_dir / serving[SEARCH], threads=settings.inference_threads)
    reranker = Encoder.load(settings.bundles_dir / serving[RERANKER], threads=settings.inference_threads)
    if reranker.bundle.reranking is None:
        raise ServiceError(f"{serving[RERANKER]}: 不是重排模型 · is no reranker")
    tops = top or [10, 20]
    rows: list[Row] = []
    for task in own_tasks(settings.home / "data") + ([faq_task(*faq)] if faq else []):
        found = found_of(task, search, max(tops))
        rows += measure(task.name, found, reranker.encode, reranker.bundle.reranking, tops)
    show(rows)
    if result is not None:
        content = json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1)
        result.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
