"""What serves now, measured on public sets that nothing was trained on, beside what others reach on them.

``python -m benchmarks.quality [--reviews FILE.csv] [--app-reviews FILE.csv] [--issues FILE.jsonl]``. The files are not
part of the project: `reviews` has columns `text`, `label` (1 positive, 0 negative) and `category`; `app-reviews` has
`text` and `label` (bug, feature and others, which are left out); `issues` is JSON Lines with `title`, `body` and
`label` (bug, feature, question).
"""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from nlp_service.cli.console import console, output, progress
from nlp_service.cli.runtime import open_engine
from nlp_service.inference.bundle import Task
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from training.metrics import Figure, accuracy, bootstrap, expected_calibration_error, macro_f1, slice_rows

CHUNK = 64
MAX_CHARACTERS = 2000
KINDS = {"bug": "fault", "feature": "feature_request", "question": "question"}
Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Labelled:
    """Texts with class indexes into `labels`, each of a category."""

    name: str
    task: Task
    labels: tuple[str, ...]
    texts: list[str]
    truth: NDArray[np.int64]
    categories: list[str]


def main(
    reviews: Annotated[Path | None, typer.Option(exists=True, help="CSV: text, label 1/0, category")] = None,
    app_reviews: Annotated[Path | None, typer.Option(exists=True, help="CSV: text, label bug / feature")] = None,
    issues: Annotated[Path | None, typer.Option(exists=True, help="JSONL: title, body, label")] = None,
    snownlp_sample: Annotated[int, typer.Option(help="texts that SnowNLP scores; 0: all")] = 0,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Print a table."""
    sets = [
        *([_reviews(reviews)] if reviews else []),
        *([_kinds(app_reviews.stem, _csv(app_reviews))] if app_reviews else []),
        *([_kinds(issues.stem, _jsonl(issues))] if issues else []),
    ]
    if not sets:
        console.print("没有数据文件 · no files were given; see --help")
        raise typer.Exit(2)
    table = Table("set", "texts", "method", "accuracy", "macro-F1", "ECE")
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with open_engine(Settings()) as engine:
        for labelled in sets:
            answers = {"nlp-service": _answers(engine, labelled)}
            if labelled.task == "sentiment":
                answers["SnowNLP"] = _snownlp(labelled.texts[: snownlp_sample or None])
            figures |= _rows(labelled, answers, table)
    output.print(table)
    if result is not None:
        result.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _rows(
    labelled: Labelled, answers: dict[str, Probabilities], table: Table
) -> dict[str, dict[str, dict[str, float]]]:
    figures: dict[str, dict[str, dict[str, float]]] = {}
    parts = slice_rows(labelled.categories)
    for part, rows in {"": np.arange(len(labelled.texts)), **(parts if len(parts) > 1 else {})}.items():
        key = f"{labelled.name} {part}".strip()
        for method, probabilities in answers.items():
            chosen = rows[rows < len(probabilities)]
            scored = probabilities[chosen], labelled.truth[chosen]
            right, f1 = bootstrap(accuracy, *scored), bootstrap(macro_f1, *scored)
            ece = expected_calibration_error(*scored)
            table.add_row(key, str(len(chosen)), method, str(right), str(f1), f"{ece:.3f}")
            figures.setdefault(key, {})[method] = _flat(right, f1, ece)
    return figures


def _flat(right: Figure, f1: Figure, ece: float) -> dict[str, float]:
    return {
        **{f"accuracy_{name}": value for name, value in right.as_dict().items()},
        **{f"macro_f1_{name}": value for name, value in f1.as_dict().items()},
        "ece": round(ece, 4),
    }


def _answers(engine: Engine, labelled: Labelled) -> Probabilities:
    """Probabilities of the set's labels alone, scaled to sum to 1."""
    names = engine.model(labelled.task).labels
    rows = []
    with progress() as bar:
        task = bar.add_task(labelled.name, total=len(labelled.texts))
        for start in range(0, len(labelled.texts), CHUNK):
            chunk = labelled.texts[start : start + CHUNK]
            rows.append(engine.probabilities(labelled.task, engine.encode(chunk, (labelled.task,))))
            bar.advance(task, len(chunk))
    chosen = np.concatenate(rows)[:, [names.index(label) for label in labelled.labels]]
    scaled: Probabilities = chosen / chosen.sum(axis=1, keepdims=True)
    return scaled


def _snownlp(texts: Sequence[str]) -> Probabilities:
    with console.status("SnowNLP"):
        from snownlp import SnowNLP

    rows = []
    with progress() as bar:
        for text in bar.track(texts, description="SnowNLP"):
            positive = float(SnowNLP(text).sentiments)
            rows.append([1 - positive, positive])
    return np.array(rows, np.float32)


def _reviews(file: Path) -> Labelled:
    rows = [row for row in _csv(file) if any(character.isalnum() for character in row["text"])]
    return Labelled(
        file.stem,
        "sentiment",
        ("negative", "positive"),
        [row["text"].strip()[:MAX_CHARACTERS] for row in rows],
        np.array([int(row["label"]) for row in rows], np.int64),
        [row.get("category", "") for row in rows],
    )


def _kinds(name: str, rows: Iterable[dict[str, str]]) -> Labelled:
    kept = [row for row in rows if row["label"] in KINDS and any(map(str.isalnum, row["text"]))]
    labels = tuple(label for key, label in KINDS.items() if any(row["label"] == key for row in kept))
    truth = np.array([labels.index(KINDS[row["label"]]) for row in kept], np.int64)
    texts = [row["text"].strip()[:MAX_CHARACTERS] for row in kept]
    return Labelled(name, "classify", labels, texts, truth, [""] * len(kept))


def _csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def _jsonl(file: Path) -> list[dict[str, str]]:
    rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    return [{"text": f"{row['title']}\n{row['body'] or ''}", "label": row["label"]} for row in rows]


if __name__ == "__main__":
    typer.run(main)
