"""From a trained model to what git holds: the encoder's change, the heads, metrics and model cards."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from nlp_service.inference.encoder import TOKENIZER_FILE
from nlp_service.inference.head import WEIGHTS_FILE, softmax
from nlp_service.inference.windows import Windower
from training.base.source import fingerprint, read_weights, stored_fingerprint
from training.base.spec import BaseSpec
from training.calibrate import fit_temperature, review_threshold
from training.card import encoder_card, head_card
from training.config import TrainingConfig
from training.console import console, step
from training.data.example import LABELS, Example, Split, Task
from training.data.split import fingerprint as data_fingerprint
from training.delta import apply_delta, save_delta
from training.encoder import MultiTaskEncoder, TorchSession, encode, load_with_weights
from training.evaluate import report, truth_of

DELTA_FILE = "change.safetensors"
WINDOW_TOKENS = 256


def export(
    config: TrainingConfig,
    spec: BaseSpec,
    base: Path,
    model: MultiTaskEncoder,
    splits: Mapping[Split, Sequence[Example]],
    models_dir: Path,
) -> None:
    """Write ``encoders/<name>`` and ``heads/<task>`` under `models_dir`.

    Heads are calibrated and measured on the encoder as it will be built (change rounded to 4 bits), not as trained.
    """
    base_weights = read_weights(base)
    tuned = {
        name: tensor.detach().float().numpy()
        for name, tensor in model.transformer.state_dict().items()
        if tensor.is_floating_point()
    }
    encoder_dir = models_dir / "encoders" / config.encoder
    encoder_dir.mkdir(parents=True, exist_ok=True)
    with step("保存编码器的变化 · save the encoder's change"):
        save_delta(encoder_dir / DELTA_FILE, base_weights, tuned, {"base": stored_fingerprint(base)})
        merged = apply_delta(encoder_dir / DELTA_FILE, base_weights)
    merged_fingerprint = fingerprint(merged)
    vectors = _Vectors(base, merged, spec.prefix.query)
    data = {name: data_fingerprint(examples) for name, examples in splits.items()}
    version = datetime.now(UTC).strftime("%Y.%m.%d")
    description = {
        "name": config.encoder,
        "version": version,
        "base": spec.name,
        "base_fingerprint": stored_fingerprint(base),
        "fingerprint": merged_fingerprint,
        "window_tokens": WINDOW_TOKENS,
        "quantisation": config.quantisation,
        "data": data,
    }
    _write_json(encoder_dir / "encoder.json", description)
    (encoder_dir / "README.md").write_text(encoder_card(config, spec, description, splits), encoding="utf-8")
    for task in config.tasks:
        _export_head(task, config, model, splits, vectors, description, models_dir / "heads" / task)


def _export_head(
    task: Task,
    config: TrainingConfig,
    model: MultiTaskEncoder,
    splits: Mapping[Split, Sequence[Example]],
    vectors: "_Vectors",
    encoder: Mapping[str, Any],
    folder: Path,
) -> None:
    weight, bias = model.head_weights(task)
    validation = [example for example in splits["validation"] if example.task == task]
    logits = vectors.of(validation) @ weight.T + bias
    truth = truth_of(validation, task)
    temperature = round(fit_temperature(logits, truth), 4)
    threshold = review_threshold(softmax(logits / temperature), truth, config.review.precision)
    threshold = math.floor(threshold * 1e6) / 1e6
    metrics: dict[str, Any] = {}
    for name in ("validation", "test"):
        examples = [example for example in splits[name] if example.task == task]
        for source in sorted({example.source for example in examples}):
            part = [example for example in examples if example.source == source]
            probabilities = softmax((vectors.of(part) @ weight.T + bias) / temperature)
            metrics[f"{source}/{name}"] = report(part, task, probabilities, threshold)
            console.print(f"{task} · {source}/{name}: macro-F1 {metrics[f'{source}/{name}']['macro_f1']}")
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": weight, "bias": bias}, folder / WEIGHTS_FILE)
    description = {
        "task": task,
        "version": encoder["version"],
        "labels": list(LABELS[task]),
        "encoder": {"name": encoder["name"], "fingerprint": encoder["fingerprint"]},
        "temperature": temperature,
        "review_threshold": threshold,
        "data": encoder["data"],
    }
    _write_json(folder / "head.json", description)
    _write_json(folder / "metrics.json", metrics)
    (folder / "README.md").write_text(head_card(description, metrics), encoding="utf-8")


class _Vectors:
    """Pooled vectors of the merged encoder in full precision, cut into windows exactly as the service does."""

    def __init__(self, base: Path, weights: Mapping[str, NDArray[np.float32]], prefix: str) -> None:
        self._session = TorchSession(load_with_weights(base, weights))
        self._windower = Windower(base / TOKENIZER_FILE, WINDOW_TOKENS)
        self._prefix = prefix
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, examples: Sequence[Example]) -> NDArray[np.float32]:
        """Vectors of the texts, shape (texts, hidden)."""
        new = sorted({example.text for example in examples} - self._known.keys())
        if new:
            vectors = encode(self._session, self._windower, new, self._prefix, self._session.dimension)
            self._known.update(zip(new, vectors, strict=True))
        return np.stack([self._known[example.text] for example in examples])


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
