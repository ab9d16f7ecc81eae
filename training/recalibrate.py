"""Fit temperature and review threshold of a candidate's heads again, for another precision."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from nlp_service.inference.bundle import HeadBundle, read_bundle
from nlp_service.inference.head import WEIGHTS_FILE
from training.build.bundles import Builder
from training.bundled import BundledModels
from training.config import TrainingConfig
from training.export import export_head
from training.heads import LinearHead
from training.judge import evaluate
from training.places import CONFIG_FILE, Places
from training.prepare import prepare
from training.registry.candidate import read_candidate
from training.run import describe


def recalibrate(folder: Path, places: Places, precision: float) -> None:
    """Rewrite the heads of the candidate in `folder`, their bundles, and its report; weights stay as they are."""
    candidate = read_candidate(folder)
    config = TrainingConfig.model_validate_json((folder / CONFIG_FILE).read_text("utf-8"))
    config = config.model_copy(update={"review": config.review.model_copy(update={"precision": precision})})
    splits = prepare(config)
    models = BundledModels([folder / "bundles", places.bundles], candidate.parts)
    for task, head in models.heads.items():
        tensors = load_file(models.folders[task] / WEIGHTS_FILE)
        weights = LinearHead(
            tensors["weight"].astype(np.float32), tensors["bias"].astype(np.float32), max(len(head.bundle.aspects), 1)
        )
        reference = read_bundle(models.folders[task], HeadBundle).encoder.model_dump()
        export_head(task, weights, config, splits, models.vectors(task), reference, folder / "models")
    parts = Builder(places.models, places.data, places.var, folder / "bundles").build(
        folder / "models", with_search=False
    )
    (folder / CONFIG_FILE).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    describe(config, splits, parts, folder)
    evaluate(folder, places)
