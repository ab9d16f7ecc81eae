"""How a corpus run scales with workers: ``python -m benchmarks.scaling --workers 1 --workers 2``.

A cluster of this machine alone, a core a worker. The rate counts from the first finished shard to the last, so neither
the start of the cluster nor the loading of models; processor time and memory are those of the worker processes.
"""

import json
import os
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from nlp_service.cli.console import console, output
from nlp_service.feedback.corpus_files import CorpusFile
from nlp_service.scale.cluster import LOCAL, ray_cluster
from nlp_service.scale.corpus import CorpusOptions, analyse_corpus
from nlp_service.settings import Settings

WORKER = b"ray::MapWorker"
TICKS = os.sysconf("SC_CLK_TCK")
SHARD_RECORDS = 128


@dataclass(frozen=True)
class Moment:
    """How far a run is: seconds of the clock, records finished, processor seconds of all workers, the largest in MB."""

    clock: float
    records: int
    cpu: float
    memory: float


def main(
    workers: Annotated[list[int], typer.Option(min=1, help="worker processes; may be repeated")],
    texts: Annotated[int, typer.Option(min=10 * SHARD_RECORDS, help="reviews and tickets of this project")] = 3000,
) -> None:
    """Measure one run for each number of workers."""
    table = Table("workers", "texts/s", "texts / processor s", "largest worker, MB", "whole run, s")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "texts.jsonl")
        characters = _write(source, texts)
        for count in workers:
            started = time.perf_counter()
            moments = _run(source, count)
            first, last = moments[0], moments[-1]
            done = last.records - first.records
            table.add_row(
                str(count),
                f"{done / (last.clock - first.clock):.0f}",
                f"{done / (last.cpu - first.cpu):.0f}",
                f"{max(moment.memory for moment in moments):.0f}",
                f"{time.perf_counter() - started:.0f}",
            )
    console.print(f"{texts:,} texts, {characters:.0f} characters on average")
    output.print(table)


def _write(file: Path, texts: int) -> float:
    data = Settings().home / "data"
    found = [
        json.loads(line)["text"]
        for folder in ("reviews", "tickets")
        for part in sorted((data / folder).glob("*.jsonl"))
        for line in part.read_text("utf-8").splitlines()
    ]
    chosen = random.Random(0).sample(found, min(texts, len(found)))
    file.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in chosen), "utf-8")
    return sum(map(len, chosen)) / len(chosen)


def _run(source: Path, workers: int) -> list[Moment]:
    moments: list[Moment] = []

    def record(done: int, _: int) -> None:
        usage = list(_usage())
        moments.append(
            Moment(time.perf_counter(), done, sum(cpu for cpu, _ in usage), max(memory for _, memory in usage))
        )

    file = CorpusFile(source, source.with_name(f"{workers}.jsonl"))
    with ray_cluster(LOCAL, cpus=workers):
        analyse_corpus([file], Settings(), CorpusOptions(workers=workers, shard_records=SHARD_RECORDS), record)
    return moments


def _usage() -> Iterator[tuple[float, float]]:
    """Processor seconds and resident MB of every worker process."""
    for process in Path("/proc").iterdir():
        try:
            if not (process / "cmdline").read_bytes().startswith(WORKER):
                continue
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        yield (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    typer.run(main)
