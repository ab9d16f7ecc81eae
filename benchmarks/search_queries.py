"""Whole queries at size: from the text to the hits with their highlights, through the search that the service uses.

The articles are made by `benchmarks/article_corpus.py`; the queries are real. Opening, asking and changing each have a
process of their own. Times passed say what a user waits, if no other work shares the cores; so the quickest round
counts. NLP_THREADS says how many threads encode, OMP_NUM_THREADS how many search.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import faiss
import numpy as np
import typer
from rich.table import Table
from sqlalchemy import delete, func, select

from benchmarks.article_corpus import make_articles
from benchmarks.lexical_methods import METHODS, LexicalFigures, measure
from benchmarks.process import apart, memory
from benchmarks.search_stages import STAGES, Stopwatch
from benchmarks.vector_corpus import query_texts, read_seeds
from nlp_service.cli.console import output
from nlp_service.cli.runtime import open_engine
from nlp_service.inference.batching import Limits
from nlp_service.inference.encoder import normalise
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.documents import article_document
from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.relevance import MODES, Mode
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.store import all_articles
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleChange
from nlp_service.text.segmentation import terms

TOP, WARM_UP, ROUNDS, CHANGES = 10, 30, 5, 300
DATABASE, INDEX, TERMS = "articles.db", "index", "terms.jsonl"


@dataclass(frozen=True)
class Asked:
    """Queries of one kind: quantiles over them, of each the quickest of ROUNDS, in milliseconds.

    Other work on the cores interrupts what passes; what is computed, by all threads of the process, it only slows.
    """

    mode: Mode
    filtered: bool
    p50: float
    p99: float
    p50_cpu: float
    stages: dict[str, float]
    """The median of each, of the time passed."""


@dataclass(frozen=True)
class Start:
    """Until every record is found, in seconds, passed and computed; memory in MB, own is what no process shares."""

    seconds: float
    cpu_seconds: float
    resident_mb: float
    own_mb: float


@dataclass(frozen=True)
class Change:
    """An article is changed: until the next search of another process holds it, in milliseconds."""

    p50: float
    p99: float
    p50_cpu: float


def queries(
    count: Annotated[int, typer.Option(min=1000, help="articles")] = 100_000,
    asked: Annotated[int, typer.Option(min=30, help="queries")] = 300,
    folder: Annotated[
        Path | None, typer.Option(help="keep the articles and the index here, and use them again")
    ] = None,
    peers: Annotated[bool, typer.Option(help="compare BM25 with bm25s and SQLite FTS5")] = True,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Whole queries through the service's search, what they consist of, start-up and changes; BM25 beside peers."""
    settings = Settings()
    texts = query_texts(settings.home / "data")
    chosen = [texts[row] for row in np.linspace(0, len(texts) - 1, min(asked, len(texts))).astype(int)]
    settings.var_dir.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.var_dir) as temporary:
        place = folder or Path(temporary)
        _prepare(settings, place, count)
        built = None if (place / INDEX).exists() else apart(_build, settings, place)
        opened, rows = apart(_ask, settings, place, chosen)
        change = apart(_change, settings, place)
        beside = [apart(measure, name, *_terms(place, chosen), place) for name in METHODS] if peers else []
    content = {
        "count": count,
        "threads": [settings.inference_threads, faiss.omp_get_max_threads()],
        "without_snapshot": built and asdict(built),
        "with_snapshot": asdict(opened),
        "queries": [asdict(row) for row in rows],
        "change": asdict(change),
        "lexical": [asdict(figures) for figures in beside],
    }
    for table in (_asked_table(rows), _start_table(built, opened), _lexical_table(beside)):
        output.print(table)
    output.print(
        f"变更后的检索 · follow a change: {change.p50:.1f} ms (p99 {change.p99:.1f}, CPU {change.p50_cpu:.1f})"
    )
    if result is not None:
        result.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _prepare(settings: Settings, folder: Path, count: int) -> None:
    if (folder / DATABASE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    seeds = read_seeds(settings)
    with open_engine(settings) as engine:
        fingerprint = engine.search_model.fingerprint
    database = _database(folder)
    make_articles(database, seeds, settings.home / "data", count, fingerprint)
    database.close()


def _build(settings: Settings, folder: Path) -> Start:
    """Without a snapshot; one is saved."""
    with open_engine(settings) as engine:
        searches = Searches(_database(folder), folder / INDEX, settings.search_statuses)
        with _started() as start:
            searches.rebuild(engine, lambda _done, _total: None)
    return start[0]


def _ask(settings: Settings, folder: Path, texts: Sequence[str]) -> tuple[Start, list[Asked]]:
    with _opened(settings, folder) as (engine, search, start):
        for text in texts[:WARM_UP]:
            _search(engine, search, text, "hybrid", None, Stopwatch())
        product = frozenset({next(iter(search.search(texts[0], None, top_k=1, mode="lexical"))).document.product or ""})
        rows = [
            _asked(engine, search, texts, mode, Filters(product=product) if filtered else None)
            for mode in MODES
            for filtered in (False, True)
        ]
    return start, rows


def _asked(engine: Engine, search: KnowledgeSearch, texts: Sequence[str], mode: Mode, filters: Filters | None) -> Asked:
    passed, computed, stages = [], [], []
    watch = Stopwatch()
    with watch.watching():
        for text in texts:
            times = []
            for _ in range(ROUNDS):
                watch.reset()
                started, worked = time.perf_counter(), time.process_time()
                _search(engine, search, text, mode, filters, watch)
                times.append((time.perf_counter() - started, time.process_time() - worked, dict(watch.seconds)))
            passed.append(min(wall for wall, _, _ in times))
            computed.append(min(cpu for _, cpu, _ in times))
            stages.append({stage: min(one.get(stage, 0.0) for _, _, one in times) for stage in STAGES})
    p50, p99 = np.quantile(passed, [0.5, 0.99]) * 1000
    medians = {stage: statistics.median(one[stage] for one in stages) * 1000 for stage in STAGES}
    return Asked(mode, filters is not None, float(p50), float(p99), statistics.median(computed) * 1000, medians)


def _search(
    engine: Engine, search: KnowledgeSearch, text: str, mode: Mode, filters: Filters | None, watch: Stopwatch
) -> None:
    """As ``POST /v1/search`` does it: one thread encodes the query, then searches."""
    vector = None
    if mode != "lexical":
        with watch.time("embed"):
            vector = normalise(engine.encode_query(text))
    search.search(text, vector, top_k=TOP, mode=mode, filters=filters or Filters())


def _change(settings: Settings, folder: Path) -> Change:
    """Articles change one by one, as another process would note it; the index reads each anew by itself."""
    database = _database(folder)
    passed, computed = [], []
    with _opened(settings, folder) as (_, search, _start):
        for number in range(1, CHANGES + 1):
            with database.write() as session:
                session.add(ArticleChange(record_id=number))
            started, worked = time.perf_counter(), time.process_time()
            search.search("登录失败", None, top_k=1, mode="lexical")
            passed.append(time.perf_counter() - started)
            computed.append(time.process_time() - worked)
    with database.write() as session:  # the next run finds the database as the snapshot knows it
        last = session.scalar(select(func.max(ArticleChange.sequence))) or 0
        session.execute(delete(ArticleChange).where(ArticleChange.sequence > last - CHANGES))
    p50, p99 = np.quantile(passed, [0.5, 0.99]) * 1000
    return Change(float(p50), float(p99), statistics.median(computed) * 1000)


@contextmanager
def _opened(settings: Settings, folder: Path) -> Iterator[tuple[Engine, KnowledgeSearch, Start]]:
    limits = Limits(recent=0)  # every round encodes its query
    with closing(Engine.load(settings.bundles_dir, threads=settings.inference_threads, limits=limits)) as engine:
        with _started() as start:
            search = Searches(_database(folder), folder / INDEX, settings.search_statuses).load(engine)
        yield engine, search, start[0]


@contextmanager
def _started() -> Iterator[list[Start]]:
    """What is done inside, with the memory that it takes; in the list afterwards."""
    terms("预热")
    before, started, worked = memory(), time.perf_counter(), time.process_time()
    found: list[Start] = []
    yield found
    resident, own = (now - then for now, then in zip(memory(), before, strict=True))
    found.append(Start(time.perf_counter() - started, time.process_time() - worked, resident, own))


def _terms(folder: Path, texts: Sequence[str]) -> tuple[Path, list[list[str]]]:
    """A file with the terms of every article, and those of the queries."""
    file = folder / TERMS
    if not file.exists():
        database = _database(folder)
        with file.open("w", encoding="utf-8") as stream:
            for article in all_articles(database):
                stream.write(json.dumps(terms(article_document(article).text), ensure_ascii=False) + "\n")
        database.close()
    return file, [list(dict.fromkeys(terms(text))) for text in texts]


def _database(folder: Path) -> Database:
    return Database(f"sqlite:///{(folder / DATABASE).resolve()}")


def _asked_table(rows: Sequence[Asked]) -> Table:
    table = Table("ms", *(row.mode + (", product" if row.filtered else "") for row in rows))
    for name in ("p50", "p99", "p50_cpu"):
        table.add_row(name, *(f"{getattr(row, name):.2f}" for row in rows))
    for stage in STAGES:
        table.add_row(f"  {stage}", *(f"{row.stages[stage]:.2f}" for row in rows))
    return table


def _start_table(built: Start | None, opened: Start) -> Table:
    table = Table("", "s", "CPU s", "resident MB", "own MB")
    for name, start in (("without snapshot", built), ("with snapshot", opened)):
        if start is not None:
            table.add_row(
                name,
                f"{start.seconds:.1f}",
                f"{start.cpu_seconds:.1f}",
                f"{start.resident_mb:.0f}",
                f"{start.own_mb:.0f}",
            )
    return table


def _lexical_table(beside: Sequence[LexicalFigures]) -> Table:
    table = Table("BM25 (CPU)", "p50 ms", "p99 ms", "build s", "change and search ms", "own MB")
    for row in beside:
        table.add_row(
            row.method,
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
            f"{row.build_s:.1f}",
            f"{row.change_ms:,.2f}",
            f"{row.own_mb:.0f}",
        )
    return table
