"""From a configuration to a candidate: prepare, train, calibrate, export, build, evaluate.

A candidate is a folder with its source form (``models/``), its runtime bundles (``bundles/``), the evaluation report
(``report/``), the comparison with what serves (``comparison.json``), its configuration and ``candidate.json``. It is
made beside its place and renamed when it is complete.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlp_service.inference.bundle import HeadBundle, read_bundle
from nlp_service.inference.release import ENCODERS, SEARCH, encoder_folder, read_release
from training.base import load_base_spec, obtain_base
from training.build.bundles import Builder
from training.bundled import BundledVectors
from training.config import TrainingConfig
from training.console import console, quiet_libraries, step
from training.data.example import OUTPUTS, Example, Split, targets
from training.export import export_encoder, export_head, trained_heads
from training.heads import fit_head
from training.places import CANDIDATE_FILE, CONFIG_FILE, Places
from training.prepare import prepare
from training.stored import read_description
from training.student import train_student
from training.train import label_sets, train


def run(config: TrainingConfig, places: Places) -> Path:
    """Train by the configuration; returns the folder of the candidate. Interrupted, the same call goes on."""
    quiet_libraries()
    splits = prepare(config)
    unfinished = places.candidates / f"{target_of(config)}.partial"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    if config.method == "head":
        _head_alone(config, places, splits, unfinished / "models")
    else:
        _encoder_with_heads(config, places, splits, unfinished / "models")
    builder = Builder(places.models, places.data, places.var, unfinished / "bundles")
    parts = builder.build(unfinished / "models", with_search=False)
    (unfinished / CONFIG_FILE).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    version = describe(config, splits, parts, unfinished)
    folder = places.candidates / f"{target_of(config)}-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    console.print(f"[green]✓[/green] 候选 · candidate {folder}")
    return folder


def target_of(config: TrainingConfig) -> str:
    """What the candidate replaces: a task, or an encoder with all its heads."""
    return config.tasks[0] if config.method == "head" and len(config.tasks) == 1 else config.encoder


def _encoder_with_heads(
    config: TrainingConfig, places: Places, splits: Mapping[Split, Sequence[Example]], models: Path
) -> None:
    spec = load_base_spec(places.models)
    base = obtain_base(spec, places.var)
    work = places.var / "training" / config.encoder
    model = train(config, base, spec.prefix.query, splits, work)
    if config.student is not None:
        model = train_student(config, config.student, base, spec.prefix.query, model, splits, work)
    description, vectors = export_encoder(config, spec, base, model.transformer, splits, models)
    for task, head in trained_heads(config, model).items():
        export_head(task, head, config, splits, vectors, description, models)


def _head_alone(
    config: TrainingConfig, places: Places, splits: Mapping[Split, Sequence[Example]], models: Path
) -> None:
    encoder = _serving_encoder(config, places)
    vectors = BundledVectors(encoder)
    bundle = vectors.encoder.bundle
    for task in config.tasks:
        labels = label_sets(config)[task]
        train_set = [example for example in splits["train"] if example.has(task)]
        validation = [example for example in splits["validation"] if example.has(task)]
        with step(f"{task}: 编码 {len(train_set) + len(validation):,} 条 · encode"):
            both = [vectors.of([example.text for example in part]) for part in (train_set, validation)]
        truths = [
            np.array([targets(example, task, labels) for example in part], np.int64).reshape(-1, OUTPUTS[task])
            for part in (train_set, validation)
        ]
        with step(f"{task}: 拟合任务头 · fit the head"):
            head = fit_head(both[0], truths[0], both[1], truths[1], len(labels))
        reference = {"name": bundle.name, "fingerprint": bundle.fingerprint}
        export_head(task, head, config, splits, vectors, reference, models)


def _serving_encoder(config: TrainingConfig, places: Places) -> Path:
    """The encoder that the heads of the configuration's tasks read now."""
    release = read_release(places.bundles)
    if config.encoder == SEARCH:
        return places.bundles / release.serving[SEARCH]
    reference = read_bundle(places.bundles / release.serving[config.tasks[0]], HeadBundle).encoder
    return places.bundles / encoder_folder(reference.name, reference.fingerprint)


def describe(
    config: TrainingConfig, splits: Mapping[Split, Sequence[Example]], parts: Mapping[str, str], folder: Path
) -> str:
    """Write candidate.json of the candidate in `folder`; returns its version."""
    if config.method == "head":
        described = [read_bundle(folder / "bundles" / part, HeadBundle) for part in parts.values()]
        version, data = described[0].version, described[0].data
    else:
        source = read_description(folder / "models" / ENCODERS / config.encoder)
        version, data = source["version"], source["data"]
    candidate = {
        "target": target_of(config),
        "version": version,
        "parts": dict(parts),
        "encoders": sorted(
            f"{ENCODERS}/{built.name}" for built in (folder / "bundles" / ENCODERS).glob("*") if built.is_dir()
        ),
        "parameters": _parameters(config, splits),
        "data": data,
    }
    (folder / CANDIDATE_FILE).write_text(json.dumps(candidate, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return str(version)


def _parameters(config: TrainingConfig, splits: Mapping[Split, Sequence[Example]]) -> dict[str, Any]:
    stages = [*config.stages, *([config.student] if config.student else [])]
    sizes = {f"texts.{name}": len(examples) for name, examples in splits.items()}
    return {
        "encoder": config.encoder,
        "method": config.method,
        "tasks": " ".join(config.tasks),
        "seed": config.seed,
        "tuning": config.architecture.tuning,
        "batch_size": config.optimisation.batch_size,
        "stages": " → ".join(f"{stage.name} {stage.epochs}×{stage.learning_rate:g}" for stage in stages),
        **sizes,
    }
