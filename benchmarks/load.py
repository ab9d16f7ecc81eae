"""Throughput and latency of the service over HTTP, from idle to three times what it can do.

First some callers ask one text at a time without a pause: what is answered then is the saturation. Then many ask at
fractions of it, each at its own steady rate however long answers take (locust). A request counts as
accepted when its answer is 200, as refused when it is 429. No text is sent twice. Tickets are of all lengths, so some
take ten times as long as others even with nothing beside; those of `alike` are of about one length. The callers run on
the same machine and take their share of its cores, which is told beside that of the service.
"""

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from benchmarks.load_plot import plot
from benchmarks.load_texts import read_articles, read_tickets
from benchmarks.service import cpu_seconds_of, memory_of, running_service
from nlp_service.cli.console import console, output
from nlp_service.settings import Settings

KINDS = ("classify", "alike", "search", "mix")
FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.5, 2.0, 3.0)
SATURATING_USERS, FEWEST_USERS = 16, 4
WARM_UP = 200


@dataclass(frozen=True)
class Step:
    """Rates in requests a second, times in milliseconds; cores are seconds computed in a second."""

    kind: str
    offered: float
    accepted: float
    refused: float
    failed: float
    p50_ms: float
    p99_ms: float
    refused_p99_ms: float
    service_cores: float
    callers_cores: float


def main(
    kind: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(KINDS)}; repeatable; all")] = None,
    seconds: Annotated[int, typer.Option(min=3, help="of each step")] = 10,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file: the curves")] = None,
) -> None:
    """Print the curve of each kind of load, and the memory afterwards."""
    chosen = kind or list(KINDS)
    if unknown := set(chosen) - set(KINDS):
        raise typer.BadParameter(f"{sorted(unknown)}: one of {list(KINDS)}")
    steps: list[Step] = []
    with running_service(Settings()) as (client, process):
        _prepare(client)
        for name in chosen:
            curve = _curve(name, Measured(str(client.base_url), process.pid, seconds))
            output.print(_table(name, curve))
            steps += curve
        memory = memory_of(process.pid)
    output.print(f"memory of the service: {memory['rss']:.0f} MB resident ({memory['pss']:.0f} MB proportional)")
    if result is not None:
        result.write_text(json.dumps({"steps": [asdict(step) for step in steps], "memory_mb": memory}, indent=1) + "\n")
    if picture is not None:
        plot({name: [step for step in steps if step.kind == name] for name in chosen}, picture)


def _prepare(client: httpx.Client) -> None:
    client.post("/v1/knowledge/import", json={"articles": read_articles()}).raise_for_status()
    for number, text in enumerate(read_tickets()[:WARM_UP]):
        client.post("/v1/classify", json={"tickets": [{"text": f"{text} {number}"}]}).raise_for_status()


@dataclass(frozen=True)
class Measured:
    """The service: where it listens, its process, and the seconds of each step."""

    host: str
    process: int
    seconds: int


def _curve(kind: str, measured: Measured) -> list[Step]:
    console.print(f"{kind}: 求饱和 · saturation")
    saturated = _step(kind, measured, SATURATING_USERS, None)
    steps = [saturated]
    for fraction in FRACTIONS:
        console.print(f"{kind}: {fraction:g} × {saturated.accepted:.0f}/s")
        rate = fraction * saturated.accepted
        steps.append(_step(kind, measured, max(FEWEST_USERS, round(rate)), rate))  # each about once a second
    return steps


def _step(kind: str, measured: Measured, users: int, rate: float | None) -> Step:
    """`rate` requests a second by all users together; None: each asks as soon as it is answered."""
    variables = {
        "LOAD_KIND": kind,
        "LOAD_HOST": measured.host.rstrip("/"),
        "LOAD_RATE": str(rate / users if rate else 0),
    }
    command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("load_users.py")), "--headless"]
    command += [
        "--json",
        "--skip-log",
        "-u",
        str(users),
        "-r",
        str(users),
        "-t",
        f"{measured.seconds}s",
        "--exit-code-on-error",
        "0",
    ]
    worked, asked = cpu_seconds_of(measured.process), _cpu_seconds_of_children()
    done = subprocess.run(command, env={**os.environ, **variables}, check=True, capture_output=True, text=True)  # noqa: S603
    entries = {entry["name"]: entry for entry in json.loads(done.stdout)}
    if not entries:
        raise RuntimeError("nothing was answered; give it more --seconds")
    accepted, refused = entries.get("accepted"), entries.get("refused")
    began = min(entry["start_time"] for entry in entries.values())
    passed = max(entry["last_request_timestamp"] for entry in entries.values()) - began
    answered, failed = _count(accepted), sum(entry["num_failures"] for entry in entries.values())
    return Step(
        kind,
        offered=rate or (answered + _count(refused)) / passed,
        accepted=(answered - failed) / passed,
        refused=_count(refused) / passed,
        failed=failed / passed,
        p50_ms=_quantile(accepted, 0.5),
        p99_ms=_quantile(accepted, 0.99),
        refused_p99_ms=_quantile(refused, 0.99),
        service_cores=(cpu_seconds_of(measured.process) - worked) / measured.seconds,
        callers_cores=(_cpu_seconds_of_children() - asked) / measured.seconds,
    )


def _cpu_seconds_of_children() -> float:
    """Of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _count(entry: dict[str, Any] | None) -> int:
    return 0 if entry is None else int(entry["num_requests"])


def _quantile(entry: dict[str, Any] | None, share: float) -> float:
    """Of the times that locust counted, which it rounds to two digits; 0 without any."""
    if entry is None:
        return 0.0
    counts = Counter({float(time): int(count) for time, count in entry["response_times"].items()})
    left = share * sum(counts.values())
    for time in sorted(counts):
        left -= counts[time]
        if left <= 0:
            return time
    return 0.0


def _table(kind: str, steps: Sequence[Step]) -> Table:
    names = ("asked /s", "answered /s", "429 /s", "failed /s", "p50 ms", "p99 ms", "p99 of 429, ms")
    table = Table(kind, *names, "service, cores", "callers, cores")
    for number, step in enumerate(steps):
        rates = (f"{rate:.1f}" for rate in (step.offered, step.accepted, step.refused, step.failed))
        times = (f"{time:.0f}" for time in (step.p50_ms, step.p99_ms, step.refused_p99_ms))
        cores = (f"{used:.2f}" for used in (step.service_cores, step.callers_cores))
        table.add_row("saturation" if number == 0 else f"{FRACTIONS[number - 1]:g} ×", *rates, *times, *cores)
    return table


if __name__ == "__main__":
    typer.run(main)
