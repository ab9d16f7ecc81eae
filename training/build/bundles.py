"""Build every runtime bundle that is missing or out of date.

A bundle is written beside its place and renamed when it is complete and verified; what is already there and was made
from the same inputs stays. So an interrupted build continues.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nlp_service.inference.bundle import BUNDLE_FILE, EncoderReference, HeadBundle, sha256
from nlp_service.inference.head import WEIGHTS_FILE
from training.build.texts import texts_file
from training.console import console

INPUTS_FILE = ".inputs"
RECIPE = "2"
"""Raise it when the build changes what it writes, so that older bundles are built again."""


def build_bundles(models_dir: Path, data_dir: Path, var_dir: Path) -> None:
    """Write ``bundles/encoders/{feedback,search}`` and ``bundles/heads/*`` under `var_dir`.

    Raises BaseError when the base cannot be had, BundleError when a quantised encoder strays from the full-precision
    one (cosine under 0.995 on any of the fixed texts).
    """
    trained = sorted((models_dir / "encoders").glob("*/encoder.json"))
    sources: dict[str, Path | None] = {file.parent.name: file.parent for file in trained}
    sources["search"] = sources.get("search")
    for name, source in sources.items():
        folder = var_dir / "bundles" / "encoders" / name
        _build(
            folder,
            _inputs_of(models_dir, data_dir, source),
            partial(_encoder, name, source, models_dir, data_dir, var_dir),
        )
    for file in sorted((models_dir / "heads").glob("*/head.json")):
        folder = var_dir / "bundles" / "heads" / file.parent.name
        _build(folder, _digest(file.parent), partial(_head, file.parent))


def _encoder(name: str, source: Path | None, models_dir: Path, data_dir: Path, var_dir: Path, target: Path) -> None:
    # Imports torch; a build that finds everything current never comes here.
    from training.build.encoder_bundle import write_encoder_bundle

    write_encoder_bundle(name, source, models_dir, data_dir, var_dir, target)


def _build(folder: Path, inputs: str, write: Callable[[Path], None]) -> None:
    marker = folder / INPUTS_FILE
    if marker.is_file() and marker.read_text("ascii") == inputs:
        return
    unfinished = folder.with_name(folder.name + ".partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write(unfinished)
    (unfinished / INPUTS_FILE).write_text(inputs, "ascii")
    for file in unfinished.iterdir():
        file.chmod(0o644)  # the service may run as another user; safetensors writes files for the owner alone
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    console.print(f"[green]✓[/green] {folder}")


def _head(source: Path, target: Path) -> None:
    description = json.loads((source / "head.json").read_text("utf-8"))
    metrics = json.loads((source / "metrics.json").read_text("utf-8"))
    shutil.copy(source / WEIGHTS_FILE, target / WEIGHTS_FILE)
    shutil.copy(source / "README.md", target / "README.md")
    bundle = HeadBundle(
        task=description["task"],
        version=description["version"],
        labels=tuple(description["labels"]),
        encoder=EncoderReference.model_validate(description["encoder"]),
        temperature=description["temperature"],
        review_threshold=description["review_threshold"],
        metrics={
            name: {"accuracy": part["accuracy"]["value"], "macro_f1": part["macro_f1"]["value"], "ece": part["ece"]}
            for name, part in metrics.items()
        },
        data=description["data"],
        files={WEIGHTS_FILE: sha256(target / WEIGHTS_FILE)},
    )
    (target / BUNDLE_FILE).write_text(bundle.model_dump_json(indent=1), "utf-8")


def _inputs_of(models_dir: Path, data_dir: Path, source: Path | None) -> str:
    parts = [
        RECIPE,
        sha256(models_dir / "base.toml"),
        *(sha256(texts_file(data_dir, name)) for name in ("calibration", "comparison")),
    ]
    if source is not None:
        parts.append(_digest(source))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest(folder: Path) -> str:
    lines = [RECIPE, *(f"{file.name} {sha256(file)}" for file in sorted(folder.iterdir()) if file.is_file())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
