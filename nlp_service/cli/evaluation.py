"""``nlp-service kb evaluate``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from nlp_service.cli.console import check_folder, console, output, progress
from nlp_service.cli.runtime import Knowledge, open_engine, open_knowledge
from nlp_service.errors import ServiceError
from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.inference.reranker import Reranker
from nlp_service.knowledge.evaluation import DEPTH, Evaluation, Question, evaluate, read_questions
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.relevance import MODES, Mode
from nlp_service.knowledge.reranking import rerank
from nlp_service.knowledge.search import Vector
from nlp_service.settings import Settings
from nlp_service.storage.statuses import STATUSES

CHUNK = 64
"""Queries that are encoded together."""
EVERYTHING = Filters(status=frozenset(STATUSES), kind=frozenset({"article"}))


def evaluate_search(
    questions_file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help='JSONL, 每行 {"query", "external_id"} · one question a line'),
    ],
    mode: Annotated[Mode | None, typer.Option(help="检索方式,默认全部 · how to search; default: all")] = None,
    misses: Annotated[int, typer.Option(min=0, help="每种方式列出的未进前五的问题 · misses listed")] = 10,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="全部结果写入 JSON · everything, as JSON")] = None,
) -> None:
    """用“问题→文章”文件评测检索 · measure search on questions whose articles are known.

    Every question is asked as `POST /v1/search` would, among all articles whatever their status; where a reranker
    serves, hybrid search without and with it.
    """
    questions = read_questions(questions_file)
    if report is not None:
        check_folder(report)
    settings = Settings()
    with open_engine(settings) as engine, open_knowledge(settings, engine) as knowledge:
        _check_known(questions, knowledge)
        ways = _ways(mode, engine)
        worded = all(how == "lexical" for how, _ in ways.values())
        vectors = {} if worded else _encoded(questions, engine)
        found = {name: _measure(name, *way, questions, vectors, knowledge) for name, way in ways.items()}
    _print(found, misses)
    if report is not None:
        content = {name: asdict(one) for name, one in found.items()}
        report.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        console.print(f"[green]✓[/green] {escape(str(report))}")


def _ways(mode: Mode | None, engine: Engine) -> dict[str, tuple[Mode, Reranker | None]]:
    """By name: how to search, and what ranks the first hits again."""
    ways: dict[str, tuple[Mode, Reranker | None]] = {name: (name, None) for name in ((mode,) if mode else MODES)}
    if engine.reranker and "hybrid" in ways:
        ways[f"hybrid, {engine.reranker.top} reranked"] = ("hybrid", engine.reranker)
    return ways


def _encoded(questions: Sequence[Question], engine: Engine) -> dict[str, Vector]:
    """The vector of each query, normalised, of shape (dimension,)."""
    texts = list(dict.fromkeys(question.query for question in questions))
    vectors: dict[str, Vector] = {}
    with progress() as bar:
        task = bar.add_task("编码 · encoding", total=len(texts))
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            vectors |= zip(chunk, normalise(engine.search.encode(chunk, "query")), strict=True)
            bar.advance(task, len(chunk))
    return vectors


def _measure(
    name: str,
    mode: Mode,
    reranker: Reranker | None,
    questions: Sequence[Question],
    vectors: Mapping[str, Vector],
    knowledge: Knowledge,
) -> Evaluation:
    with progress() as bar:
        task = bar.add_task(name, total=len(questions))

        def search(query: str) -> list[str | None]:
            hits = knowledge.search.search(
                query, vectors.get(query), top_k=DEPTH, mode=mode, filters=EVERYTHING, highlighted=False
            )
            if reranker:
                hits = rerank(query, hits, reranker)
            bar.advance(task)
            return [hit.document.external_id for hit in hits]

        return evaluate(questions, search)


def _check_known(questions: Sequence[Question], knowledge: Knowledge) -> None:
    """A question whose article does not exist can only be missed; say so, and stop when it is all of them."""
    wanted = {name for question in questions for name in question.external_id}
    unknown = sorted(wanted - knowledge.store.known_external_ids(wanted))
    if len(unknown) == len(wanted):
        raise ServiceError(
            f"知识库中没有这些文章,请先导入 · none of these articles is in the knowledge base, import them first: "
            f"{', '.join(unknown[:3])} …"
        )
    if unknown:
        console.print(
            f"[yellow]![/yellow] {len(unknown)} 个 external_id 不在知识库中,按未找到计 · not in the knowledge base, "
            f"counted as missed: {escape(', '.join(unknown[:5]))}"
        )


def _print(found: Mapping[str, Evaluation], misses: int) -> None:
    any_of_them = next(iter(found.values()))
    table = Table("", *found, caption=f"{any_of_them.questions:,} 个问题 · questions")
    for figure in any_of_them.figures:
        means = [one.figures[figure] for one in found.values()]
        table.add_row(figure, *(f"{mean.value:.3f} ({mean.low:.3f}–{mean.high:.3f})" for mean in means))
    output.print(table)
    for mode, one in found.items():
        if not one.misses or not misses:
            continue
        output.print(f"{mode}: {len(one.misses)} 个未进前五 · not among the first five")
        for miss in one.misses[:misses]:
            place = "–" if miss.rank is None else str(miss.rank)
            wanted = ", ".join(miss.wanted)
            first = miss.found or "–"
            output.print(f"  {escape(miss.query[:60])}  → {escape(wanted)} (#{place}; 首位 · first {escape(first)})")
