"""Throughput and latency of the service over HTTP, from idle to three times what it can do.

First some callers ask one text at a time without a pause: what the most of them get is the saturation. Then fractions
of it are asked at random times (Poisson), however long answers take; EVEN of it at even distances as well, which tells
what latency is that of a queue before the cores. A request counts as accepted when its answer is 200, as refused when
it is 429. No text is sent twice. Tickets are of all lengths, so some take ten times as long as others even with nothing
beside; those of `alike` are of about one length. The callers (wrk) run on the same machine and take their share of its
cores, which is told beside that of the service; ``--apart`` gives them the last core, and the service all others, so
that what they take of it at three times the load is no loss of the service's. Where a machine's speed drifts,
``--rounds`` asks for all steps again and again, and prints the medians.
"""

import json
import os
import resource
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from rich.table import Table

from benchmarks.load_plot import plot
from benchmarks.load_requests import KINDS, Arrivals, requests
from benchmarks.load_texts import read_articles, read_tickets
from benchmarks.load_wrk import ask, find_wrk
from benchmarks.service import cpu_seconds_of, memory_of, running_service
from nlp_service.cli.console import console, output
from nlp_service.open_files import allow_connections
from nlp_service.settings import Settings

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.5, 2.0, 3.0)
CALLERS = (1, 2, 4, 16)
"""Without a pause; so many as the last saturate the service."""
CONNECTIONS = 2.2
"""For each answer a second that the service can give: it lets nobody wait for over two seconds. wrk looks through those
that have nothing to ask yet."""
OVERLOADED = 0.6
"""The same where more is asked for than can be answered: a queue that stands lets nobody wait for over 0.25 s."""
LEAD = 4
"""Seconds of such a load before answers count: a queue takes a burst at first, and stands then."""
FASTEST = 5_000
"""Answers a second that are more than there can be."""
EVEN = 0.7
WARM_UP = 200
WIDTH = 120
"""Of a table, in characters, also where a terminal has fewer."""
OK, REFUSED = 200, 429


@dataclass(frozen=True)
class Step:
    """Rates in requests a second, times in milliseconds; cores are seconds computed in a second."""

    kind: str
    arrivals: Arrivals
    asked: str
    """So many callers, or so much of the saturation."""
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
    rounds: Annotated[int, typer.Option(min=1, help="medians of so many")] = 1,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file: the curves")] = None,
    apart: Annotated[bool, typer.Option("--apart", help="callers on the last core, the service on all others")] = False,
) -> None:
    """Print the curve of each kind of load, and the memory afterwards."""
    chosen = kind or list(KINDS)
    if unknown := set(chosen) - set(KINDS):
        raise typer.BadParameter(f"{sorted(unknown)}: one of {list(KINDS)}")
    output.width = max(output.width, WIDTH)
    find_wrk()  # before the service is started for nothing
    allow_connections()
    steps: list[Step] = []
    cores = sorted(os.sched_getaffinity(0))
    if apart and len(cores) == 1:
        raise typer.BadParameter("needs two cores", param_hint="--apart")
    if apart:
        os.sched_setaffinity(0, cores[:-1])
    with running_service(Settings()) as (client, process):
        if apart:
            os.sched_setaffinity(0, cores[-1:])
        _prepare(client)
        for name in chosen:
            curves = _rounds(name, Measured(str(client.base_url), process.pid, seconds), rounds)
            curve = [_median(same) for same in zip(*curves, strict=True)]
            output.print(_table(name, curve))
            output.print(
                f"goodput at {curve[-2].asked}: {_goodput(curves):.0%} of what {curve[-1].asked} get, "
                f"{_of_peak(curve):.0%} of the most at random times"
            )
            steps += curve
        memory = memory_of(process.pid)
    output.print(f"memory of the service: {memory['rss']:.0f} MB resident ({memory['pss']:.0f} MB proportional)")
    if result is not None:
        result.write_text(json.dumps({"steps": [asdict(step) for step in steps], "memory_mb": memory}, indent=1) + "\n")
    if picture is not None:
        random = [step for step in steps if step.arrivals == "at random"]
        plot({name: [step for step in random if step.kind == name] for name in chosen}, picture)


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


def _rounds(kind: str, measured: Measured, rounds: int) -> list[list[Step]]:
    """All steps of each round, the heaviest load between two turns of the callers that saturate the service.

    What the first round finds to be the saturation holds for all.
    """
    curves: list[list[Step]] = []
    saturation = 0.0
    for number in range(1, rounds + 1):
        console.print(f"{kind}: 第 {number}/{rounds} 轮 · round {number} of {rounds}")
        steps = [_without_pause(kind, measured, callers) for callers in CALLERS]
        saturation = saturation or steps[-1].accepted
        steps += [_in_time(kind, measured, "at random", fraction, saturation) for fraction in FRACTIONS[:-1]]
        steps.append(_in_time(kind, measured, "evenly", EVEN, saturation))
        before = _without_pause(kind, measured, CALLERS[-1])
        heaviest = _in_time(kind, measured, "at random", FRACTIONS[-1], saturation)
        after = _without_pause(kind, measured, CALLERS[-1])
        curves.append([*steps, before, heaviest, after])
    return curves


def _without_pause(kind: str, measured: Measured, callers: int) -> Step:
    return _step(kind, measured, "at once", f"{callers} callers", callers, FASTEST)


def _in_time(kind: str, measured: Measured, arrivals: Arrivals, fraction: float, saturation: float) -> Step:
    console.print(f"{kind}: {fraction:g} × {saturation:.0f}/s {arrivals}")
    overload = fraction > 1
    connections = round(saturation * (OVERLOADED if overload else fraction * CONNECTIONS))
    asked = f"{fraction:g} ×" if arrivals == "at random" else f"{fraction:g} × {arrivals}"
    return _step(kind, measured, arrivals, asked, connections, fraction * saturation, lead=LEAD if overload else 0)


def _median(steps: Sequence[Step]) -> Step:
    """Of each figure of the same step in several rounds."""
    names = [field.name for field in fields(Step) if field.name not in {"kind", "arrivals", "asked"}]
    figures: dict[str, Any] = {name: float(np.median([getattr(step, name) for step in steps])) for name in names}
    return replace(steps[0], **figures)


def _goodput(rounds: Sequence[Sequence[Step]]) -> float:
    """What was answered of the heaviest load, of what the callers that saturate the service got before and after it."""
    before, heaviest, after = (sum(steps[place].accepted for steps in rounds) for place in (-3, -2, -1))
    return heaviest / ((before + after) / 2)


def _of_peak(curve: Sequence[Step]) -> float:
    """What was answered of the heaviest load, of the most that was answered at any rate at random times."""
    answered = [step.accepted for step in curve if step.arrivals == "at random"]
    return answered[-1] / max(answered)


def _step(
    kind: str, measured: Measured, arrivals: Arrivals, asked: str, connections: int, rate: float, *, lead: int = 0
) -> Step:
    """`rate` requests a second, at the most, over as many connections; the first `lead` seconds do not count.

    Of answers, that is; the cores are those of all seconds.
    """
    seconds = lead + measured.seconds
    plan = list(islice(requests(kind, arrivals, rate), round(rate * seconds)))
    worked, called = cpu_seconds_of(measured.process), _cpu_seconds_of_children()
    answers, broken = ask(measured.host, plan, connections=connections, seconds=seconds)
    answers = [answer for answer in answers if answer.arrived >= lead]
    if not answers:
        raise RuntimeError("nothing was answered; give it more --seconds")
    passed = max(answer.arrived for answer in answers) - lead
    accepted = [answer.seconds for answer in answers if answer.status == OK]
    refused = [answer.seconds for answer in answers if answer.status == REFUSED]
    return Step(
        kind,
        arrivals,
        asked,
        offered=len(answers) / passed if arrivals == "at once" else rate,
        accepted=len(accepted) / passed,
        refused=len(refused) / passed,
        failed=(len(answers) - len(accepted) - len(refused)) / passed + broken / seconds,
        p50_ms=_quantile_ms(accepted, 0.5),
        p99_ms=_quantile_ms(accepted, 0.99),
        refused_p99_ms=_quantile_ms(refused, 0.99),
        service_cores=(cpu_seconds_of(measured.process) - worked) / seconds,
        callers_cores=(_cpu_seconds_of_children() - called) / seconds,
    )


def _cpu_seconds_of_children() -> float:
    """Of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _quantile_ms(seconds: Sequence[float], share: float) -> float:
    """0 without any."""
    return float(np.quantile(seconds, share)) * 1000 if seconds else 0.0


def _table(kind: str, steps: Sequence[Step]) -> Table:
    names = ("asked /s", "answered /s", "429 /s", "failed /s", "p50 ms", "p99 ms", "p99 of 429, ms")
    table = Table(kind, *names, "service, cores", "callers, cores")
    for step in steps:
        rates = (f"{rate:.1f}" for rate in (step.offered, step.accepted, step.refused, step.failed))
        times = (f"{time:.0f}" for time in (step.p50_ms, step.p99_ms, step.refused_p99_ms))
        cores = (f"{used:.2f}" for used in (step.service_cores, step.callers_cores))
        table.add_row(step.asked, *rates, *times, *cores)
    return table


if __name__ == "__main__":
    typer.run(main)
