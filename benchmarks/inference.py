"""The encoder's speed beside peers that run the same checkpoint, on the same texts, in one run.

Every runtime is a process of its own and is asked in turn, round after round, so that noise of the machine hits all
alike; of the rounds the quickest counts. Each gives the vectors of the held-out texts as well, which the heads read: a
peer that is fast and wrong is shown to be wrong. Peers whose libraries do not go together with this project's get the
interpreter of another environment: ``--peer st-onnx-int8=/path/to/python``.

The others run the checkpoint that serves, or with ``--whole`` the fine-tuned encoder that it was distilled from, whose
heads are the same: what somebody would serve who has no student. docs/decisions/0025 says where that is kept.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.inference_parts import MatrixPeak, Profile, matrix_peak, profile
from nlp_service.cli.console import console, output
from nlp_service.inference.bundle import Task
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.release import read_release
from nlp_service.settings import Settings
from training.base import load_base_spec, obtain_base
from training.bundled import BundledModels
from training.config import load_config
from training.console import quiet_libraries
from training.data.example import Example
from training.metrics import macro_f1
from training.prepare import prepare
from training.stored import load_stored

WORKER = Path(__file__).with_name("inference_worker.py")
PEERS = Path(__file__).with_name("inference_peers.py")
LENGTHS = {"short": 12, "medium": 40, "long": 250}
"""Tokens of a text, about."""
BATCHES = (1, 8, 32, 256)
GROUPED = 16
"""At least so many texts make a measurement."""
OWN = ("ours", "pipeline", "snownlp")
MATCHED: tuple[Task, ...] = ("classify", "sentiment")


@dataclass(frozen=True)
class Cell:
    """Texts in a second of one runtime, and in a second of processor time, for one length and batch."""

    runtime: str
    length: str
    batch: int
    rate: float
    cpu_rate: float


class Worker:
    """A runtime in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, command: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a command (none: wait until it is ready) and read the answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        if command is not None:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main(
    peer: Annotated[list[str] | None, typer.Option(help="RUNTIME=PYTHON of another environment")] = None,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="of each measurement")] = 1.0,
    only: Annotated[list[int] | None, typer.Option(help="batch sizes")] = None,
    whole: Annotated[Path | None, typer.Option(help="stored encoder for the others, instead of the one in use")] = None,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Print texts/s, ratios, accuracy, where the time goes and the share of the processor's peak."""
    quiet_libraries()
    settings = Settings()
    pythons = {**dict.fromkeys(OWN, sys.executable), **dict(one.split("=", 1) for one in peer or [])}
    held_out = list(prepare(load_config(Path("training/configs/feedback.toml")))["test"])
    bundle = _bundle(settings)
    texts = _texts(Encoder.load(bundle, threads=threads), held_out)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        checkpoint = Path(folder) / "checkpoint"
        _write_checkpoint(settings, whole or settings.models_dir / "encoders" / "feedback", checkpoint)
        quantised = Path(folder) / "quantised"
        shutil.copytree(checkpoint, quantised)  # sentence-transformers writes it anew, as no older version reads it
        _quantise(pythons, settings, quantised)
        folders = {name: quantised for name in pythons if name.startswith("st-")} | {"ours": bundle}
        workers = {
            name: stack.enter_context(_worker(name, python, folders.get(name, checkpoint), threads))
            for name, python in pythons.items()
        }
        cells = _measure(workers, texts, only or BATCHES, rounds, seconds)
        quality = {
            name: _quality(worker, held_out, settings, Path(folder))
            for name, worker in workers.items()
            if name != "snownlp"
        }
    peak = matrix_peak(threads)
    profiles = {length: profile(bundle, chosen[:32], threads) for length, chosen in texts.items()}
    _print(cells, quality, peak, profiles)
    if result is not None:
        content = {
            "threads": threads,
            "cells": [asdict(cell) for cell in cells],
            "quality": quality,
            "peak": asdict(peak),
            "profiles": {length: asdict(one) for length, one in profiles.items()},
        }
        result.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _bundle(settings: Settings) -> Path:
    models = BundledModels([settings.bundles_dir], read_release(settings.bundles_dir).serving)
    return models.vectors("classify").folder


def _texts(encoder: Encoder, held_out: Sequence[Example]) -> dict[str, list[str]]:
    """Held-out texts of each length; the long ones are several in one, as a mail with its history is."""
    pool = sorted({example.text for example in held_out})
    tokens = {text: len(encoder.windows([text], "query")[0].ids) for text in pool}
    chosen = {}
    for name, wanted in LENGTHS.items():
        if wanted < max(BATCHES):
            near = sorted(pool, key=lambda text: abs(tokens[text] - wanted))
        if name == "long":
            near = []
            for start in range(len(pool)):
                joined, count, place = "", 0, start
                while count < wanted - 20:
                    joined, count = joined + pool[place % len(pool)] + "\n", count + tokens[pool[place % len(pool)]]
                    place += 1
                near.append(joined[: int(len(joined) * min(1.0, wanted / count))])
        chosen[name] = near[: max(BATCHES)]
    return chosen


def _write_checkpoint(settings: Settings, stored: Path, folder: Path) -> None:
    """A fine-tuned encoder as sentence-transformers of any version knows it."""
    from transformers import AutoTokenizer

    base = obtain_base(load_base_spec(settings.models_dir), settings.var_dir)
    transformer = load_stored(stored, base)
    transformer.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    described = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    written = {
        "tokenizer_config.json": {**described, "tokenizer_class": "PreTrainedTokenizerFast"},
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": transformer.config.hidden_size,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ],
    }
    (folder / "1_Pooling").mkdir()
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content), "utf-8")


def _quantise(pythons: Mapping[str, str], settings: Settings, checkpoint: Path) -> None:
    python = next((python for name, python in pythons.items() if name.startswith("st-")), None)
    if python is not None:
        calibration = settings.home / "data" / "build" / "calibration.txt"
        subprocess.run([python, PEERS, checkpoint, calibration], check=True, stdout=sys.stderr)  # noqa: S603 - an interpreter that the user named


@contextmanager
def _worker(name: str, python: str, folder: Path, threads: int) -> Iterator[Worker]:
    command = [python, str(WORKER), name, str(folder), str(threads)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        worker = Worker(process)
        worker.ask()
        console.print(f"[green]✓[/green] {name}")
        yield worker
    finally:
        process.terminate()
        process.wait()


def _measure(
    workers: Mapping[str, Worker],
    texts: Mapping[str, list[str]],
    batches: Sequence[int],
    rounds: int,
    seconds: float,
) -> list[Cell]:
    cells: list[Cell] = []
    for length, some in texts.items():
        for batch in batches:
            groups = [some[start : start + batch] for start in range(0, max(batch, GROUPED), batch)]
            best: dict[str, Cell] = {}
            for _ in range(rounds):
                for name, worker in workers.items():
                    found = worker.ask({"time": groups, "seconds": seconds})
                    cell = Cell(
                        name, length, batch, found["texts"] / found["seconds"], found["texts"] / max(found["cpu"], 1e-9)
                    )
                    best[name] = max(cell, best.get(name, cell), key=lambda one: one.rate)
            console.print(f"[green]✓[/green] {length} × {batch}")
            cells += best.values()
    return cells


def _quality(worker: Worker, held_out: Sequence[Example], settings: Settings, folder: Path) -> dict[str, float]:
    """Macro-F1 of the heads on a runtime's vectors of the held-out texts."""
    models = BundledModels([settings.bundles_dir], read_release(settings.bundles_dir).serving)
    file = folder / "vectors.npy"
    texts = sorted({example.text for example in held_out if example.source == "tickets"})
    worker.ask({"vectors": texts, "to": str(file)})
    vectors: dict[str, NDArray[np.float32]] = dict(zip(texts, np.load(file), strict=True))
    figures: dict[str, float] = {}
    for task in MATCHED:
        head = models.heads[task]
        examples = [one for one in held_out if one.source == "tickets" and one.has(task)]
        probabilities = head.probabilities(np.stack([vectors[one.text] for one in examples]))
        truth = np.array([head.bundle.labels.index(one.labels[task]) for one in examples])
        figures[task] = macro_f1(probabilities, truth)
    return figures


def _print(
    cells: Sequence[Cell],
    quality: Mapping[str, Mapping[str, float]],
    peak: MatrixPeak,
    profiles: Mapping[str, Profile],
) -> None:
    names = list(dict.fromkeys(cell.runtime for cell in cells))
    rates = {(cell.runtime, cell.length, cell.batch): cell.rate for cell in cells}
    table = Table("texts/s", *names, "beside pipeline", "beside the best of the others")
    for length, batch in dict.fromkeys((cell.length, cell.batch) for cell in cells):
        row = [rates[name, length, batch] for name in names]
        rest = [rates[name, length, batch] for name in names if name not in OWN]
        own = rates["ours", length, batch]
        best = f"{own / max(rest):.2f}×" if rest else "–"
        table.add_row(
            f"{length} × {batch}",
            *(f"{one:,.1f}" for one in row),
            f"{own / rates['pipeline', length, batch]:.1f}×",
            best,
        )
    output.print(table)
    scores = Table("macro-F1, held out", *MATCHED)
    for name, figures in quality.items():
        scores.add_row(name, *(f"{figures[task]:.4f}" for task in MATCHED))
    output.print(scores)
    output.print(
        f"peak of {peak.threads} threads, 10⁹ operations/s: bf16 {peak.bf16:,.0f}, int8 {peak.int8:,.0f}, "
        f"float32 {peak.float32:,.0f}"
    )
    where = Table("share of the time", *profiles)
    for parts in zip(*(one.parts for one in profiles.values()), strict=True):
        where.add_row(parts[0].name, *(f"{part.share:.1%}" for part in parts))
    fastest = max(peak.bf16, peak.int8)
    where.add_row("matrices, of the peak", *(f"{one.matrices / fastest:.1%}" for one in profiles.values()))
    where.add_row("all of the time, of the peak", *(f"{one.whole / fastest:.1%}" for one in profiles.values()))
    output.print(where)


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
