"""From a trained model to its source form: the encoder's change, the heads, metrics and model cards.

The source form is what git holds for the models that the project ships: ``encoders/<name>`` and ``heads/<task>``.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from nlp_service.inference.bundle import TOKENIZER_FILE
from nlp_service.inference.head import WEIGHTS_FILE, softmax
from nlp_service.inference.windows import Windower
from training.base.source import fingerprint, read_weights, stored_fingerprint
from training.base.spec import BaseSpec
from training.calibrate import fit_temperature, presence_threshold, review_threshold
from training.card import encoder_card, head_card
from training.config import TrainingConfig
from training.console import console, step
from training.data.example import ASPECTS, Example, Split, Task, targets
from training.data.split import fingerprint as data_fingerprint
from training.delta import apply_delta, save_delta
from training.encoder import MultiTaskEncoder, TorchSession, encode, weights_of
from training.evaluate import summary
from training.heads import LinearHead
from training.stored import DELTA_FILE, DESCRIPTION_FILE, of_layers, weights_of_layers
from training.train import label_sets

WINDOW_TOKENS = 256


class Vectors(Protocol):
    """Pooled vectors of texts on the encoder that a head reads."""

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, dimension)."""
        ...


def export_encoder(
    config: TrainingConfig,
    spec: BaseSpec,
    base: Path,
    transformer: Any,
    splits: Mapping[Split, Sequence[Example]],
    models_dir: Path,
) -> tuple[dict[str, Any], "TorchVectors"]:
    """Write ``encoders/<name>`` under `models_dir`; returns its description and its vectors.

    The vectors are those of the encoder as it will be built (change rounded to 4 bits), not as trained. With a
    `student` in the configuration `transformer` has these layers of the base alone.
    """
    layers = None if config.student is None else config.student.layers
    base_weights = weights_of_layers(read_weights(base), layers)
    tuned = weights_of(transformer)
    folder = models_dir / "encoders" / config.encoder
    folder.mkdir(parents=True, exist_ok=True)
    with step("保存编码器的变化 · save the encoder's change"):
        save_delta(folder / DELTA_FILE, base_weights, tuned, {"base": stored_fingerprint(base)})
        (folder / DELTA_FILE).chmod(0o644)
        merged = apply_delta(folder / DELTA_FILE, base_weights)
    merged_fingerprint = fingerprint(merged)
    description = {
        "name": config.encoder,
        "version": version_of(merged_fingerprint),
        "base": spec.name,
        "base_fingerprint": stored_fingerprint(base),
        "fingerprint": merged_fingerprint,
        "window_tokens": WINDOW_TOKENS,
        "quantisation": config.quantisation,
        **({} if layers is None else {"layers": list(layers)}),
        "data": {name: data_fingerprint(examples) for name, examples in splits.items()},
    }
    _write_json(folder / DESCRIPTION_FILE, description)
    (folder / "README.md").write_text(encoder_card(config, spec, description, splits), encoding="utf-8")
    return description, TorchVectors(of_layers(base, layers, merged), base, spec.prefix.query)


def trained_heads(config: TrainingConfig, model: MultiTaskEncoder) -> dict[Task, LinearHead]:
    """The heads that were trained with the encoder."""
    return {
        task: LinearHead(*model.head_weights(task), outputs=len(ASPECTS) if task == "aspects" else 1)
        for task in config.tasks
    }


def export_head(
    task: Task,
    head: LinearHead,
    config: TrainingConfig,
    splits: Mapping[Split, Sequence[Example]],
    vectors: Vectors,
    encoder: Mapping[str, str],
    models_dir: Path,
) -> None:
    """Calibrate a head, measure it and write ``heads/<task>``; `encoder` has `name` and `fingerprint`."""
    labels = label_sets(config)[task]
    validation = _calibration_set(task, config, splits["validation"])
    logits = head.logits(vectors.of([example.text for example in validation]))
    truth = np.array([targets(example, task, labels) for example in validation], np.int64)
    temperature = round(fit_temperature(logits.reshape(-1, len(labels)), truth.ravel()), 4)
    calibrated = softmax(logits / temperature)
    threshold, presence = 0.0, 0.5
    if task == "aspects":
        presence = round(presence_threshold(1 - calibrated[..., 0], truth > 0), 4)
    else:
        threshold = review_threshold(calibrated[:, 0], truth[:, 0], config.review.precision)
        threshold = math.floor(threshold * 1e6) / 1e6
    metrics = {}
    names: tuple[Split, ...] = ("validation", "test")
    for name in names:
        examples = [example for example in splits[name] if example.has(task)]
        for source in sorted({example.source for example in examples}):
            part = [example for example in examples if example.source == source]
            probabilities = softmax(head.logits(vectors.of([example.text for example in part])) / temperature)
            answers = np.array([targets(example, task, labels) for example in part], np.int64)
            metrics[f"{source}/{name}"] = summary(probabilities, answers, threshold, presence)
            console.print(f"  {task} · {source}/{name}: {_brief(metrics[f'{source}/{name}'])}")
    folder = models_dir / "heads" / task
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": head.weight, "bias": head.bias}, folder / WEIGHTS_FILE)
    (folder / WEIGHTS_FILE).chmod(0o644)
    description = {
        "task": task,
        "version": version_of(_identity(head, encoder["fingerprint"])),
        "labels": list(labels),
        "aspects": list(ASPECTS) if task == "aspects" else [],
        "encoder": {"name": encoder["name"], "fingerprint": encoder["fingerprint"]},
        "temperature": temperature,
        "review_threshold": threshold,
        "presence_threshold": presence,
        "data": {name: data_fingerprint(examples) for name, examples in splits.items()},
    }
    _write_json(folder / "head.json", description)
    _write_json(folder / "metrics.json", {"summary": metrics})
    (folder / "README.md").write_text(head_card(description, metrics), encoding="utf-8")


def _calibration_set(task: Task, config: TrainingConfig, validation: Sequence[Example]) -> list[Example]:
    labelled = [example for example in validation if example.has(task)]
    chosen = [example for example in labelled if example.source in config.review.sources]
    return chosen or labelled


class TorchVectors:
    """Pooled vectors of an encoder in full precision, cut into windows exactly as the service does."""

    def __init__(self, transformer: Any, base: Path, prefix: str) -> None:
        self._session = TorchSession(transformer)
        self._windower = Windower(base / TOKENIZER_FILE, WINDOW_TOKENS)
        self._prefix = prefix
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the texts, shape (texts, hidden); each text is encoded once."""
        new = sorted(set(texts) - self._known.keys())
        if new:
            vectors = encode(self._session, self._windower, new, self._prefix, self._session.dimension)
            self._known.update(zip(new, vectors, strict=True))
        return np.stack([self._known[text] for text in texts])


def version_of(fingerprint: str) -> str:
    """Day and content: ``2026.11.21-1a2b3c``."""
    return f"{datetime.now(UTC):%Y.%m.%d}-{fingerprint[:6]}"


def _identity(head: LinearHead, encoder: str) -> str:
    """Of a head: a student's has the weights of its teacher's, and reads another encoder."""
    return hashlib.sha256(head.weight.tobytes() + head.bias.tobytes() + encoder.encode()).hexdigest()


def _brief(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in figures.items())


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
