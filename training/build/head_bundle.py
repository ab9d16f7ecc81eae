"""The runtime bundle of one head."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from nlp_service.inference.bundle import BUNDLE_FILE, EncoderReference, HeadBundle, sha256
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.head import TEST_ANSWERS_FILE, WEIGHTS_FILE, Head

TEST_ANSWER_TEXTS = 8
CARD = "README.md"


def write_head_bundle(source: Path, encoder_folder: Path, target: Path, texts: Sequence[str]) -> None:
    """Write the bundle of the head in `source` into `target`, with its answers on the built encoder for some texts."""
    description = json.loads((source / "head.json").read_text("utf-8"))
    metrics = json.loads((source / "metrics.json").read_text("utf-8"))
    shutil.copy(source / WEIGHTS_FILE, target / WEIGHTS_FILE)
    shutil.copy(source / CARD, target / CARD)
    bundle = HeadBundle(
        **{key: description[key] for key in ("task", "version", "temperature", "review_threshold", "data")},
        labels=tuple(description["labels"]),
        aspects=tuple(description["aspects"]),
        presence_threshold=description["presence_threshold"],
        encoder=EncoderReference.model_validate(description["encoder"]),
        metrics=metrics["summary"],
        files={},
    )
    encoder = Encoder.load(encoder_folder, threads=0)
    tensors = load_file(target / WEIGHTS_FILE)
    few = list(texts[:TEST_ANSWER_TEXTS])
    answers = Head(bundle, tensors["weight"], tensors["bias"]).probabilities(encoder.encode(few))
    written = np.frombuffer("\n".join(few).encode(), dtype=np.uint8)
    save_file({"texts": written, "probabilities": answers.astype(np.float32)}, target / TEST_ANSWERS_FILE)
    files = {name: sha256(target / name) for name in (WEIGHTS_FILE, TEST_ANSWERS_FILE)}
    (target / BUNDLE_FILE).write_text(bundle.model_copy(update={"files": files}).model_dump_json(indent=1), "utf-8")
