"""Whether memory stays where it is: many mixed requests to one process, and its memory every so many of them.

Callers on connections of their own draw from the mix of ``benchmarks/soak_requests.py``; connections are closed and
opened anew now and then. Memory is read while nobody asks. The slope is that of a straight line through what was read
after the warm-up, a quarter of all requests. Also measured: the start, from the process to the first 200 of
``/readyz``, with a database and indexes that an earlier run left.

``python -m benchmarks.soak --requests 1000000 --result soak.json --picture soak.png``
"""

import http.client
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
import typer
from rich.table import Table

from benchmarks.load_texts import read_articles, read_queries, read_tickets
from benchmarks.service import cpu_seconds_of, memory_of, running_service
from benchmarks.soak_plot import plot
from benchmarks.soak_requests import Asked, Mix
from nlp_service.cli.console import console, output
from nlp_service.settings import Settings

RECONNECT = 500
WARM_UP = 0.25
STARTS = 3
MEMORY = ("rss", "pss", "anonymous")


@dataclass(frozen=True)
class Sample:
    """After so many requests in all: memory in MB, and of the requests since the sample before: times in ms."""

    requests: int
    seconds: float
    rss: float
    pss: float
    anonymous: float
    p50_ms: float
    p99_ms: float
    unexpected: int
    """Answers with another status than the request must have, and those that broke off."""


@dataclass(frozen=True)
class Start:
    """From the process to its first 200 of ``/readyz``."""

    seconds: float
    cpu_seconds: float


class Caller:
    """Asks on one connection, one request after the other."""

    def __init__(self, host: str, mix: Mix) -> None:
        self._connection = http.client.HTTPConnection(host, timeout=60)
        self._mix = mix
        self.unexpected: Counter[str] = Counter()

    def ask(self, requests: int) -> list[float]:
        """So many requests; the seconds of each."""
        times = []
        for number in range(requests):
            if number % RECONNECT == 0:
                self._connection.close()
            asked = self._mix.draw()
            began = time.perf_counter()
            status = self._status_of(asked)
            times.append(time.perf_counter() - began)
            if status != asked.status:
                self.unexpected[f"{asked.method} {asked.path}: {status}, not {asked.status}"] += 1
        return times

    def _status_of(self, asked: Asked) -> int:
        try:
            self._connection.request(asked.method, asked.path, asked.body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0
        return answer.status


def main(
    requests: Annotated[int, typer.Option(min=1000, help="in all")] = 20_000,
    every: Annotated[int, typer.Option(min=100, help="requests between two looks at the memory")] = 0,
    connections: Annotated[int, typer.Option(min=1, max=64)] = 4,
    new: Annotated[float, typer.Option(min=0, max=0.2, help="share of requests with a new text")] = 0.02,
    known: Annotated[
        int, typer.Option(min=10, max=1_500, help="texts and queries that are sent again and again")
    ] = 1_000,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file: memory and times")] = None,
) -> None:
    """Print the start, the memory after every so many requests, and its slope."""
    with _built() as environment:
        starts = [_start(environment) for _ in range(STARTS)]
        for start in starts:
            output.print(f"ready after {start.seconds:.2f} s, {start.cpu_seconds:.2f} s of CPU")
        with running_service(Settings(), **environment) as (client, process):
            host = urlsplit(str(client.base_url)).netloc
            callers = _callers(host, connections, new, known)
            samples, unexpected = _soak(callers, process.pid, requests, every or max(100, requests // 20))
    slopes = {name: _slope(samples, name) for name in MEMORY}
    output.print(_table(samples))
    for name, slope in slopes.items():
        output.print(f"{name}: {slope:+.2f} MB per 100,000 requests")
    for answer, times in unexpected.most_common(10):
        output.print(f"{times} × {answer}")
    if result is not None:
        figures = {
            "starts": [asdict(start) for start in starts],
            "samples": [asdict(sample) for sample in samples],
            "mb_per_100000": slopes,
            "new": new,
            "known": known,
        }
        result.write_text(json.dumps(figures, indent=1) + "\n")
    if picture is not None:
        plot(samples, picture)


@contextmanager
def _built() -> Iterator[dict[str, str]]:
    """The environment of a service whose articles are stored and whose indexes are saved; gone afterwards."""
    settings = Settings()
    with tempfile.TemporaryDirectory(prefix="nlp-soak-") as folder:
        home = Path(folder)
        (home / "var").mkdir()
        (home / "var" / "bundles").symlink_to(settings.bundles_dir.resolve())
        environment = {"NLP_HOME": folder, "NLP_DATABASE_URL": f"sqlite:///{home}/nlp.db"}
        with running_service(settings, **environment) as (client, _):
            client.post("/v1/knowledge/import", json={"articles": read_articles()}).raise_for_status()
        yield environment


def _start(environment: dict[str, str]) -> Start:
    began = time.perf_counter()
    with running_service(Settings(), **environment) as (_, process):
        return Start(time.perf_counter() - began, cpu_seconds_of(process.pid))


def _callers(host: str, connections: int, new: float, known: int) -> list[Caller]:
    texts = [text for text in read_tickets() if any(map(str.isalnum, text))][:known]
    queries = random.Random(0).sample(read_queries(), known)
    session = f"{os.getpid()}-{time.time_ns() % 10**6}"
    mixes = [Mix(texts, queries, new=new, name=f"{session}-{number}") for number in range(connections)]
    return [Caller(host, mix) for mix in mixes]


def _soak(callers: Sequence[Caller], pid: int, requests: int, every: int) -> tuple[list[Sample], Counter[str]]:
    """The samples, and the answers that were not as they must be."""
    samples: list[Sample] = []
    connections = len(callers)
    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        for done in range(every, requests + 1, every):
            shares = [every // connections + (number < every % connections) for number in range(connections)]
            times = [seconds for part in pool.map(Caller.ask, callers, shares) for seconds in part]
            p50, p99 = np.quantile(times, [0.5, 0.99]) * 1000
            memory = memory_of(pid)
            unexpected = sum(caller.unexpected.total() for caller in callers)
            samples.append(
                Sample(done, time.perf_counter() - began, **memory, p50_ms=p50, p99_ms=p99, unexpected=unexpected)
            )
            console.print(f"{done:,}/{requests:,}  {samples[-1].anonymous:.1f} MB anonymous, p99 {p99:.0f} ms")
    return samples, sum((caller.unexpected for caller in callers), Counter[str]())


def _slope(samples: Sequence[Sample], name: str) -> float:
    """MB per 100,000 requests after the warm-up; 0 with fewer than two samples."""
    counted = [sample for sample in samples if sample.requests > WARM_UP * samples[-1].requests]
    if len(counted) < 2:
        return 0.0
    line = np.polyfit([sample.requests for sample in counted], [getattr(sample, name) for sample in counted], 1)
    return float(line[0]) * 100_000


def _table(samples: Sequence[Sample]) -> Table:
    table = Table("requests", "s", "rss MB", "pss MB", "anonymous MB", "p50 ms", "p99 ms", "unexpected")
    for one in samples:
        memory = (f"{size:.1f}" for size in (one.rss, one.pss, one.anonymous))
        times = (f"{one.p50_ms:.1f}", f"{one.p99_ms:.1f}")
        table.add_row(f"{one.requests:,}", f"{one.seconds:.0f}", *memory, *times, str(one.unexpected))
    return table


if __name__ == "__main__":
    typer.run(main)
