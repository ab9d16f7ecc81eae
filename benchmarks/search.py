"""Speed and recall of search at size.

``python -m benchmarks.search vectors``: every way to search vectors, on synthetic vectors with the spread of real ones
(`benchmarks/vector_corpus.py` says how) and real queries, one query at a time. Each way is built, then opened by a
fresh process as the service would, so that its memory is its own. OMP_NUM_THREADS says how many threads there are.

``python -m benchmarks.search queries``: whole queries, from the text to the hits with their highlights; see
`benchmarks/search_queries.py`.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import faiss
import numpy as np
import typer
from rich.table import Table

from benchmarks.process import apart, memory
from benchmarks.search_queries import queries
from benchmarks.vector_corpus import TOP, Corpus, local_dimension, make_corpus, read_seeds
from benchmarks.vector_methods import METHODS, Opened
from benchmarks.vector_plot import plot
from nlp_service.cli.console import console, output
from nlp_service.settings import Settings

CHANGES, CHANGE = 1_000, 10
CHANGE_SECONDS = 10.0
WARM_UP = 20
ROUNDS = 3

app = typer.Typer(add_completion=False)
app.command()(queries)


@dataclass(frozen=True)
class Figures:
    """Of one way with one setting; memory is what it takes beyond a process without an index.

    Times are quantiles over the queries, of each the median of ROUNDS. Where other work shares the cores, the time that
    this process computed says more than the time that passed, except for a method that another process answers.
    """

    method: str
    setting: int
    recall: float
    p50_ms: float
    p99_ms: float
    p50_cpu_ms: float
    p99_cpu_ms: float
    build_s: float = 0.0
    build_cpu_s: float = 0.0
    disk_mb: float = 0.0
    resident_mb: float = 0.0
    own_mb: float = 0.0
    """Of the resident memory, what processes do not share."""
    adds_per_s: float | None = None
    deletes_per_s: float | None = None


@app.callback()
def main() -> None:
    """Measure parts of the search."""


@app.command()
def vectors(
    count: Annotated[int, typer.Option(min=10_000, help="vectors")] = 1_000_000,
    queries: Annotated[int, typer.Option(min=10, help="queries")] = 300,
    method: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(METHODS)}; repeatable; all")] = None,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file: recall against time")] = None,
    cpu: Annotated[
        bool, typer.Option("--cpu", help="draw the time computed, where other work shares the cores")
    ] = False,
) -> None:
    """Print a table."""
    chosen = method or list(METHODS)
    if unknown := set(chosen) - set(METHODS):
        raise typer.BadParameter(f"{sorted(unknown)}: one of {list(METHODS)}")
    settings = Settings()
    settings.var_dir.mkdir(exist_ok=True)
    figures: list[Figures] = []
    with tempfile.TemporaryDirectory(dir=settings.var_dir) as folder:
        seeds = read_seeds(settings)
        corpus = make_corpus(seeds, count, queries, Path(folder))
        spread = {
            "seeds": local_dimension(seeds.passages, seeds.passages[:500]),
            "vectors": local_dimension(corpus.vectors[:100_000], corpus.vectors[:200]),
        }
        console.print(f"局部内在维数 · local intrinsic dimension: {spread}")
        for name in chosen:
            figures += _measure(name, corpus, Path(folder))
            output.print(_table(figures[-len(METHODS[name].settings) :]))
            if result is not None:
                rows = [asdict(row) for row in figures]
                content = {"count": count, "queries": len(corpus.queries), "threads": faiss.omp_get_max_threads()}
                result.write_text(json.dumps({**content, "local_dimension": spread, "figures": rows}, indent=1) + "\n")
    output.print(_table(figures))
    if picture is not None:
        points = {
            name: [(row.p50_cpu_ms if cpu else row.p50_ms, row.recall) for row in figures if row.method == name]
            for name in chosen
        }
        plot(points, picture)


def _measure(name: str, corpus: Corpus, parent: Path) -> list[Figures]:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        console.print(f"构建 · build: {name}")
        passed, computed = apart(_build, name, corpus, Path(folder))
        disk = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
        console.print(f"查询 · search: {name} ({passed:.0f} s, {disk:.0f} MB)")
        rows = apart(_search, name, corpus, Path(folder))
        adds, deletes = apart(_change, name, corpus, Path(folder))
    return [
        replace(row, build_s=passed, build_cpu_s=computed, disk_mb=disk, adds_per_s=adds, deletes_per_s=deletes)
        for row in rows
    ]


def _build(name: str, corpus: Corpus, folder: Path) -> tuple[float, float]:
    """Seconds that passed, and that this process computed."""
    started, worked = time.perf_counter(), time.process_time()
    METHODS[name].build(corpus.vectors, folder)
    return time.perf_counter() - started, time.process_time() - worked


def _search(name: str, corpus: Corpus, folder: Path) -> list[Figures]:
    faiss.knn(corpus.queries[:1], corpus.queries, 1)  # what every process with FAISS has
    before = memory()
    opened = METHODS[name].open(folder, for_changes=False)
    rows = [_asked(name, setting, opened, corpus) for setting in METHODS[name].settings]
    resident, own = (now - then for now, then in zip(memory(), before, strict=True))
    return [replace(row, resident_mb=resident, own_mb=own) for row in rows]


def _asked(name: str, setting: int, opened: Opened, corpus: Corpus) -> Figures:
    for query in corpus.queries[:WARM_UP]:
        opened.search(query, TOP, setting)
    hits, passed, computed = 0, [], []
    for query, truth in zip(corpus.queries, corpus.truth, strict=True):
        times = []
        for _ in range(ROUNDS):
            started, worked = time.perf_counter(), time.process_time()
            found = opened.search(query, TOP, setting)
            times.append((time.perf_counter() - started, time.process_time() - worked))
        passed.append(statistics.median(wall for wall, _ in times))
        computed.append(statistics.median(cpu for _, cpu in times))
        hits += len(set(found) & set(truth.tolist()))
    p50, p99, p50_cpu, p99_cpu = np.concatenate([np.quantile(row, [0.5, 0.99]) for row in (passed, computed)]) * 1000
    recall = hits / corpus.truth.size
    return Figures(name, setting, recall, float(p50), float(p99), float(p50_cpu), float(p99_cpu))


def _change(name: str, corpus: Corpus, folder: Path) -> tuple[float, float | None]:
    """Vectors added and deleted in a second, CHANGE at a time."""
    opened = METHODS[name].open(folder, for_changes=True)
    count, vectors = len(corpus.vectors), np.array(corpus.vectors[:CHANGES])

    def add(start: int) -> None:
        opened.add(range(count + start, count + start + CHANGE), vectors[start : start + CHANGE])

    def remove(start: int) -> None:
        opened.remove(range(start, start + CHANGE))

    try:
        return _rate(add), _rate(remove)
    except RuntimeError:
        return _rate(add), None


def _rate(change: Callable[[int], None]) -> float:
    started, done = time.perf_counter(), 0
    while done < CHANGES and time.perf_counter() - started < CHANGE_SECONDS:
        change(done)
        done += CHANGE
    return done / (time.perf_counter() - started)


def _table(figures: Sequence[Figures]) -> Table:
    table = Table(
        "",
        "",
        "recall@10",
        "p50 ms",
        "CPU",
        "p99 ms",
        "CPU",
        "build s",
        "CPU",
        "disk MB",
        "resident MB",
        "own MB",
        "+/s",
        "−/s",
    )
    for row in figures:
        times = (f"{time:.2f}" for time in (row.p50_ms, row.p50_cpu_ms, row.p99_ms, row.p99_cpu_ms))
        builds = row.build_s, row.build_cpu_s
        sizes = (f"{size:.0f}" for size in (*builds, row.disk_mb, row.resident_mb, row.own_mb))
        rates = ("–" if rate is None else f"{rate:,.0f}" for rate in (row.adds_per_s, row.deletes_per_s))
        table.add_row(row.method, str(row.setting or ""), f"{row.recall:.4f}", *times, *sizes, *rates)
    return table


if __name__ == "__main__":
    app()
