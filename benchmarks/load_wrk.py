"""Asks a service at given times, by wrk: a program in C that takes next to nothing of the cores it shares with it.

Every request is sent when it is due, whatever the service does, and its time counts from then, so a service that keeps
callers waiting is seen to. Debian has it: ``apt install wrk``.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("load_wrk.lua")
THREADS = 8
"""wrk looks through all connections of a thread that wait for their time, whenever anything happens in it."""
TIMEOUT = 60
"""Seconds that an answer may take."""
CONNECTING = 1
"""Seconds in which callers connect, before the first request is due: thousands come at a time, which no caller does."""


@dataclass(frozen=True)
class Asked:
    """A request: when it is due (seconds from the first; 0: at once), and what it asks, in one line."""

    due: float
    path: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """Its status, the seconds from when its request was due until it came, and those from the first request on."""

    status: int
    seconds: float
    arrived: float


def find_wrk() -> str:
    """Its path; raises RuntimeError where it is not installed."""
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is missing; Debian has it: apt install wrk")
    return program


def ask(url: str, requests: Sequence[Asked], *, connections: int, seconds: int) -> tuple[list[Answer], int]:
    """What was answered within so many seconds of asking, and how often a connection failed."""
    threads = min(THREADS, connections)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for thread in range(threads):
            (folder / f"plan-{thread}").write_bytes(b"".join(map(_line, requests[thread::threads])))
        command = [
            find_wrk(),
            f"-t{threads}",
            f"-c{connections}",
            f"-d{seconds + CONNECTING}s",
            f"--timeout={TIMEOUT}s",
            f"-s{SCRIPT}",
            url,
        ]
        given = {**os.environ, "FOLDER": name, "CONNECTING": str(CONNECTING)}
        subprocess.run(command, env=given, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        answers = [answer for file in folder.glob("answers-*") for answer in _answers(file)]
        return answers, int((folder / "broken").read_text("ascii"))


def _answers(file: Path) -> list[Answer]:
    lines = (line.split() for line in file.read_text("ascii").splitlines())
    return [Answer(int(status), int(time) / 1e6, int(arrived) / 1e6) for status, time, arrived in lines]


def _line(asked: Asked) -> bytes:
    return b"%d\t%s\t%s\n" % (asked.due * 1e6, asked.path.encode("ascii"), asked.body)
