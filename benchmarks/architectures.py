"""What to train, and how heads read the encoder: the table of docs/decisions/0009, on the validation split.

``python -m benchmarks.architectures`` trains every variant from the base on the project's own tickets and reviews (some
minutes each on two cores; interrupted, it goes on). The test split is not touched.
"""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.table import Table

from training.base import load_base_spec, obtain_base
from training.config import Architecture, Stage, TrainingConfig, load_config
from training.console import console, quiet_libraries
from training.data.example import Example, Split, Task, targets
from training.encoder import MultiTaskEncoder
from training.metrics import aspect_f1, bootstrap, macro_f1
from training.perturbation.perturbations import courtesy
from training.prepare import prepare
from training.tokens import shorten
from training.train import Collate, Encoded, label_sets, train

VARIANTS: dict[str, dict[str, Any]] = {
    "full, all tasks": {},
    "top 6 layers": {"tuning": "top", "top_layers": 6},
    "LoRA r16": {"tuning": "lora", "lora_rank": 16, "learning_rate": 3e-4},
    "full, classify alone": {"tasks": ("classify",)},
    "full, a yes-or-no for each class": {"loss": "binary"},
    "full, attention-pooled heads": {"pooling": "attention"},
    "full, half of the second look rewritten": {"epochs": 1, "looks": 2, "rewritten": 0.5},
}
EPOCHS = 2
BATCH = 64


def main(
    config_file: Annotated[Path, typer.Option()] = Path("training/configs/feedback.toml"),
    work: Annotated[Path, typer.Option()] = Path("var/training/architectures"),
    only: Annotated[list[str] | None, typer.Option(help="names of variants")] = None,
    share: Annotated[float, typer.Option(min=0.05, max=1, help="of the training texts")] = 1.0,
) -> None:
    """Train and compare."""
    quiet_libraries()
    base_config = load_config(config_file, {"snownlp": False})
    splits = prepare(base_config)
    chosen = random.Random(base_config.seed).sample(splits["train"], int(share * len(splits["train"])))
    splits = {**splits, "train": chosen}
    spec = load_base_spec(Path("models"))
    base = obtain_base(spec, Path("var"))
    table = Table(
        "variant",
        "fault | request F1",
        "classify F1",
        "severity F1",
        "sentiment F1",
        "aspects F1",
        "classify F1 with courtesies",
        "minutes",
    )
    for name, change in VARIANTS.items():
        if only and name not in only:
            continue
        config = _variant(base_config, change)
        started = time.perf_counter()
        model = train(config, base, spec.prefix.query, splits, work)
        minutes = (time.perf_counter() - started) / 60
        table.add_row(name, *_figures(model, config, base, spec.prefix.query, splits), f"{minutes:.1f}")
        console.print(table)


def _variant(config: TrainingConfig, change: Mapping[str, Any]) -> TrainingConfig:
    architecture = {key: value for key, value in change.items() if key in Architecture.model_fields}
    looks = change.get("looks", 1)
    stage = Stage(
        name="compare",
        epochs=change.get("epochs", EPOCHS),
        learning_rate=change.get("learning_rate", 5e-5),
        repeat={"tickets": looks, "reviews": looks},
        rewritten=change.get("rewritten", 0.0),
    )
    return config.model_copy(
        update={
            "architecture": config.architecture.model_copy(update=architecture),
            "tasks": change.get("tasks", config.tasks),
            "stages": (stage,),
        }
    )


def _figures(
    model: MultiTaskEncoder, config: TrainingConfig, base: Path, prefix: str, splits: Mapping[Split, Sequence[Example]]
) -> list[str]:
    validation = [example for example in splits["validation"] if example.source in {"tickets", "reviews"}]
    answers = _logits(model, config, base, prefix, validation)
    figures = []
    for task in ("fault | request", "classify", "severity", "sentiment", "aspects"):
        key: Task = "classify" if task == "fault | request" else task  # type: ignore[assignment]
        if key not in answers:
            figures.append("–")
            continue
        rows = [index for index, example in enumerate(validation) if example.has(key)]
        truth = np.array([targets(validation[index], key) for index in rows], np.int64)
        scores = answers[key][rows]
        if key == "aspects":
            figures.append(f"{aspect_f1(scores.argmax(-1), truth):.3f}")
            continue
        flat, classes = scores[:, 0], truth[:, 0]
        if task != key:
            flat, classes = flat[classes < 2, :2], classes[classes < 2]
        figures.append(str(bootstrap(macro_f1, flat, classes)))
    return [*figures, _with_courtesies(model, config, base, prefix, validation)]


def _with_courtesies(
    model: MultiTaskEncoder, config: TrainingConfig, base: Path, prefix: str, validation: Sequence[Example]
) -> str:
    """The class of tickets with a greeting before and a closing after the text."""
    tickets = [
        replace(example, text=courtesy(example.text, random.Random(example.text)))
        for example in validation
        if example.has("classify")
    ]
    scores = _logits(model, config, base, prefix, tickets)["classify"][:, 0]
    truth = np.array([targets(example, "classify")[0] for example in tickets], np.int64)
    return str(bootstrap(macro_f1, scores, truth))


def _logits(
    model: MultiTaskEncoder, config: TrainingConfig, base: Path, prefix: str, examples: Sequence[Example]
) -> dict[Task, NDArray[np.float32]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    collate = Collate(tokenizer.pad_token_id)
    encoded = [
        Encoded(shorten(tokenizer(prefix + example.text)["input_ids"], config.optimisation.max_tokens), [0])
        for example in examples
    ]
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index].input_ids))
    parts: dict[Task, list[NDArray[np.float32]]] = {task: [] for task in label_sets(config)}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(order), BATCH):
            batch = collate(
                [{"input_ids": encoded[index].input_ids, "labels": [0]} for index in order[start : start + BATCH]]
            )
            for task, logits in model.logits(batch["input_ids"], batch["attention_mask"]).items():
                parts[task].append(logits.numpy())
    back = np.argsort(order)
    return {task: np.concatenate(rows)[back] for task, rows in parts.items()}


if __name__ == "__main__":
    typer.run(main)
