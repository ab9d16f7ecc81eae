"""Measure a candidate on texts that training never saw: the report, and the comparison with what serves."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import Task
from nlp_service.inference.head import softmax
from nlp_service.inference.release import HEADS, RELEASE_FILE, SEARCH, Parts, read_release
from training.base import load_base_spec, obtain_base
from training.base.source import read_weights
from training.bundled import BundledModels, BundledVectors
from training.config import TrainingConfig
from training.console import console, step
from training.data.example import Example, Split, targets
from training.delta import apply_delta
from training.export import DELTA_FILE, TorchVectors
from training.prepare import prepare
from training.registry.candidate import Candidate, read_candidate
from training.registry.comparison import Comparison, TaskComparison, compare, write_comparison
from training.report.baselines import baselines
from training.report.markdown import write_report
from training.report.robustness import robustness
from training.report.scored import Scored
from training.run import CONFIG_FILE, Places

ROBUSTNESS_TEXTS = 400
SPEED_TEXTS = 256
SEED = 20261121


def evaluate(folder: Path, places: Places) -> None:
    """Write ``report/`` and ``comparison.json`` of the candidate in `folder`, from its own configuration's test split.

    Raises DataError when the data is gone or broken, BundleError when a bundle is damaged.
    """
    candidate = read_candidate(folder)
    config = TrainingConfig.model_validate_json((folder / CONFIG_FILE).read_text("utf-8"))
    splits = prepare(config)
    models = BundledModels([folder / "bundles", places.bundles], candidate.parts)
    scored = [
        _score(models, task, source, part)
        for task in models.heads
        for source, part in _by_source(splits["test"], task).items()
    ]
    own = [one for one in scored if not one.name.startswith(("snownlp", "aspect_polarity"))]
    with step("抗干扰 · robustness"):
        steadiness = {one.name_of_set: robustness(_sample(one), _predictor(models, one.task), SEED) for one in own}
    with step("基线 · baselines"):
        plain = _plain_encoder(places)
        simple = {
            one.name_of_set: baselines(one.task, _labelled(splits["train"], one), one.examples, plain) for one in own
        }
    with step("量化损失 · loss by quantisation"):
        loss = _quantised_loss(candidate, config, folder, places, models, own)
    write_report(
        folder / "report",
        title=f"{candidate.target} {candidate.version}",
        facts=_facts(candidate, models),
        scored=scored,
        robustness=steadiness,
        baselines=simple,
        quantised_loss=loss,
        speed=_speed(models, splits["test"]),
    )
    write_comparison(folder / "comparison.json", _comparison(models, splits["test"], places))
    console.print(f"[green]✓[/green] {folder / 'report' / 'report.md'}")
