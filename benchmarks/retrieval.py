"""How well each way to search finds the right article: dense, BM25, their fusion by rank, and hybrid as it serves.

``python -m benchmarks.retrieval [--faq ARTICLES.jsonl QUERIES.jsonl] [--result FILE.json] [--plot FILE.png]``. Three
sets: the project's held-out queries; question → answer, made of the project's articles (each problem asks, the
solutions alone are searched); and a FAQ of your own or of others: articles as ``{"pid", "faqs": [{"question",
"answers": […]}]}``, queries as ``{"query", "gold_pid"}``. Everything goes through the store and the search of the
service, in a database of its own.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from nlp_service.cli.console import console, output, progress
from nlp_service.cli.runtime import open_engine
from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import PROBLEM_LIMIT, SOLUTION_LIMIT, TITLE_LIMIT, ArticleCreate
from nlp_service.knowledge.evaluation import DEPTH, Evaluation, Question, evaluate
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.fusion import reciprocal_rank_fusion
from nlp_service.knowledge.relevance import MODES, Mode, relevance_of
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.store import ArticleStore
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.text.headline import headline
from training.search.pairs import read_search_data

FUSED = "RRF"
IMPORT_CHUNK = 200
EVERYTHING = Filters(status=frozenset({"published"}))
Ranking = list[str | None]


@dataclass(frozen=True)
class RetrievalTask:
    """Articles, and questions with the external ids of what answers them."""

    name: str
    articles: list[ArticleCreate]
    questions: list[Question]


def own_tasks(data: Path) -> list[RetrievalTask]:
    """Held-out queries, and problem → solution, of the project's articles."""
    search = read_search_data(data / "search", data / "knowledge")
    articles = [article.model_copy(update={"status": "published"}) for article in search.articles.values()]
    held_out = [
        Question(query=query.query, external_id=(query.external_id,)) for query in search.queries if query.held_out
    ]
    answers = [
        ArticleCreate(
            title=headline(article.solution),
            problem=article.solution[:PROBLEM_LIMIT],
            solution=article.solution,
            external_id=article.external_id,
            status="published",
        )
        for article in articles
    ]
    asked = [
        Question(query=article.problem, external_id=(article.external_id,))
        for article in articles
        if article.external_id
    ]
    return [RetrievalTask("held-out queries", articles, held_out), RetrievalTask("problem → solution", answers, asked)]


def faq_task(articles: Path, queries: Path) -> RetrievalTask:
    """A FAQ whose documents hold questions with their answers."""
    documents = []
    for record in _records(articles):
        questions = [entry["question"] for entry in record["faqs"]]
        answers = [answer for entry in record["faqs"] for answer in entry["answers"]]
        documents.append(
            ArticleCreate(
                title=questions[0][:TITLE_LIMIT],
                problem="\n".join(questions)[:PROBLEM_LIMIT],
                solution="\n".join(answers)[:SOLUTION_LIMIT],
                external_id=str(record["pid"]),
                status="published",
            )
        )
    asked = [Question(query=record["query"], external_id=(str(record["gold_pid"]),)) for record in _records(queries)]
    return RetrievalTask(articles.stem, documents, asked)


def measure(task: RetrievalTask, engine: Engine) -> dict[str, Evaluation]:
    """Every way to search, on one task."""
    model = engine.search_model
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/articles.db")
        database.migrate()
        store = ArticleStore(database, engine.encode_passages, model.fingerprint)
        for start in range(0, len(task.articles), IMPORT_CHUNK):
            store.import_articles(task.articles[start : start + IMPORT_CHUNK])
        search = KnowledgeSearch(
            database, engine.encode_passages, model.fingerprint, model.dimension, (), relevance_of(model.relevance)
        )
        search.rebuild()
        rankings = _rankings(task, engine, search)
        database.close()
    return {name: evaluate(task.questions, found.__getitem__) for name, found in rankings.items()}


def _rankings(task: RetrievalTask, engine: Engine, search: KnowledgeSearch) -> dict[str, dict[str, Ranking]]:
    """By way to search and query."""
    found: dict[str, dict[str, Ranking]] = {name: {} for name in (*MODES, FUSED)}
    names: dict[int, str | None] = {}
    with progress() as bar:
        shown = bar.add_task(task.name, total=len(task.questions))
        for question in task.questions:
            vector = normalise(engine.encode_query(question.query))
            keys: dict[Mode, list[int]] = {}
            for mode in MODES:
                hits = search.search(question.query, vector, top_k=DEPTH, mode=mode, filters=EVERYTHING)
                names |= {hit.document.key: hit.document.external_id for hit in hits}
                keys[mode] = [hit.document.key for hit in hits]
                found[mode][question.query] = [names[key] for key in keys[mode]]
            fused = reciprocal_rank_fusion([keys["dense"], keys["lexical"]])
            found[FUSED][question.query] = [names[key] for key, _ in fused]
            bar.advance(shown)
    return found


def main(
    faq: Annotated[tuple[Path, Path] | None, typer.Option(help="ARTICLES.jsonl QUERIES.jsonl")] = None,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG file: recall@1, recall@5 and MRR as bars")] = None,
) -> None:
    """Print a table."""
    settings = Settings()
    tasks = own_tasks(settings.home / "data") + ([faq_task(*faq)] if faq else [])
    with open_engine(settings) as engine:
        measured = {task.name: measure(task, engine) for task in tasks}
    _print(measured)
    if result is not None:
        figures = {
            name: {way: {key: vars(mean) for key, mean in one.figures.items()} for way, one in ways.items()}
            for name, ways in measured.items()
        }
        result.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if plot is not None:
        _plot(measured, plot)
        console.print(f"✓ {plot}")


def _print(measured: Mapping[str, Mapping[str, Evaluation]]) -> None:
    first = next(iter(next(iter(measured.values())).values()))
    table = Table("set", "questions", "search", *first.figures)
    for name, ways in measured.items():
        for way, one in ways.items():
            figures = [f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]" for mean in one.figures.values()]
            table.add_row(name, str(one.questions), way, *figures)
    output.print(table)


def _plot(measured: Mapping[str, Mapping[str, Evaluation]], file: Path) -> None:
    from matplotlib.figure import Figure

    shown: Sequence[str] = ("recall@1", "recall@5", "MRR")
    figure = Figure(figsize=(4 * len(measured), 3.6), layout="constrained")
    for axes, (name, ways) in zip(figure.subplots(1, len(measured), squeeze=False)[0], measured.items(), strict=True):
        for place, (way, one) in enumerate(ways.items()):
            means = [one.figures[key] for key in shown]
            axes.bar(
                [column + place / (len(ways) + 1) for column in range(len(shown))],
                [mean.value for mean in means],
                width=1 / (len(ways) + 1),
                yerr=[[mean.value - mean.low for mean in means], [mean.high - mean.value for mean in means]],
                label=way,
            )
        axes.set_xticks([column + 0.3 for column in range(len(shown))], shown)
        axes.set_ylim(0, 1.02)
        axes.set_title(f"{name} ({next(iter(ways.values())).questions})", fontsize=9)
    figure.legend(*axes.get_legend_handles_labels(), ncols=4, loc="outside lower center")
    figure.savefig(file, dpi=120)


def _records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]


if __name__ == "__main__":
    typer.run(main)
