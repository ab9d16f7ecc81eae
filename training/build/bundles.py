"""Build every runtime bundle that is missing or out of date.

A bundle is written beside its place and renamed when it is complete and verified; what is already there and was made
from the same inputs stays. So an interrupted build continues.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import (
    BUNDLE_FILE,
    Comparison,
    EncoderBundle,
    EncoderReference,
    HeadBundle,
    Prefix,
    sha256,
)
from nlp_service.inference.encoder import TEST_VECTORS_FILE, TOKENIZER_FILE, normalise
from nlp_service.inference.head import WEIGHTS_FILE
from nlp_service.inference.session import GRAPH_FILE, OpenVinoSession
from nlp_service.inference.session import WEIGHTS_FILE as GRAPH_WEIGHTS_FILE
from nlp_service.inference.windows import Windower
from training.base import BaseSpec, load_base_spec, obtain_base
from training.base.source import BaseError, fingerprint, read_weights, stored_fingerprint
from training.build.graph import quantise, save_graph, to_graph
from training.build.texts import TEST_VECTOR_TEXTS, read_texts, texts_file
from training.console import console, step
from training.delta import apply_delta
from training.encoder import TorchSession, encode, load_with_weights
from training.export import DELTA_FILE, WINDOW_TOKENS

MIN_COSINE = 0.995
INPUTS_FILE = ".inputs"
RECIPE = "1"
"""Raise it when the build changes what it writes, so that older bundles are built again."""


def build_bundles(models_dir: Path, data_dir: Path, var_dir: Path) -> None:
    """Write ``bundles/encoders/{feedback,search}`` and ``bundles/heads/*`` under `var_dir`.

    Raises BaseError when the base cannot be had, BundleError when a quantised encoder strays from the full-precision
    one (cosine under 0.995 on any of the fixed texts).
    """
    spec = load_base_spec(models_dir)
    trained = sorted((models_dir / "encoders").glob("*/encoder.json"))
    sources: dict[str, Path | None] = {file.parent.name: file.parent for file in trained}
    sources["search"] = sources.get("search")
    for name, source in sources.items():
        inputs = _inputs_of(models_dir, data_dir, source)
        folder = var_dir / "bundles" / "encoders" / name
        _build(folder, inputs, lambda target, name=name, source=source: _encoder(  # type: ignore[misc]
            name, source, spec, data_dir, var_dir, target
        ))
    for file in sorted((models_dir / "heads").glob("*/head.json")):
        folder = var_dir / "bundles" / "heads" / file.parent.name
        _build(folder, _digest(file.parent), lambda target, source=file.parent: _head(source, target))  # type: ignore[misc]


def _build(folder: Path, inputs: str, write: Callable[[Path], None]) -> None:
    marker = folder / INPUTS_FILE
    if marker.is_file() and marker.read_text("ascii") == inputs:
        return
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    (partial / INPUTS_FILE).write_text(inputs, "ascii")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    console.print(f"[green]✓[/green] {folder}")


def _encoder(name: str, source: Path | None, spec: BaseSpec, data_dir: Path, var_dir: Path, target: Path) -> None:
    base = obtain_base(spec, var_dir)
    weights = read_weights(base)
    version = "base"
    if source is not None:
        description = json.loads((source / "encoder.json").read_text("utf-8"))
        version = description["version"]
        weights = _merge(name, source, description, base, weights)
    transformer = load_with_weights(base, weights)
    shutil.copy(base / TOKENIZER_FILE, target / TOKENIZER_FILE)
    windower = Windower(target / TOKENIZER_FILE, WINDOW_TOKENS)
    calibration = read_texts(data_dir, "calibration")
    comparison_texts = read_texts(data_dir, "comparison")
    prefix = spec.prefix.query
    with step(f"{name}: 导出 · export"):
        graph = to_graph(transformer)
    with step(f"{name}: 量化为 int8 · quantise, about half a minute"):
        save_graph(quantise(graph, windower, calibration, prefix), target)
    with step(f"{name}: 与全精度比较 · compare with full precision"):
        reference = TorchSession(transformer)
        full = encode(reference, windower, comparison_texts, prefix, reference.dimension)
        few = np.frombuffer("\n".join(comparison_texts[:TEST_VECTOR_TEXTS]).encode(), dtype=np.uint8)
        save_file({"texts": few, "vectors": full[:TEST_VECTOR_TEXTS]}, target / TEST_VECTORS_FILE)
        bundle = EncoderBundle(
            name=name,
            version=version,
            base=spec.name,
            fingerprint=fingerprint(weights),
            pooling=spec.pooling,
            prefix=Prefix(query=spec.prefix.query, passage=spec.prefix.passage),
            window_tokens=WINDOW_TOKENS,
            dimension=reference.dimension,
            precision="int8",
            comparison=_compare(target, windower, comparison_texts, prefix, full),
            files=_checksums(target, TOKENIZER_FILE, GRAPH_FILE, GRAPH_WEIGHTS_FILE, TEST_VECTORS_FILE),
        )
    console.print(f"  {name}: cosine {bundle.comparison.cosine_mean:.4f}, min {bundle.comparison.cosine_min:.4f}")
    if source is not None:
        shutil.copy(source / "README.md", target / "README.md")
    (target / BUNDLE_FILE).write_text(bundle.model_dump_json(indent=1), "utf-8")


def _merge(
    name: str, source: Path, description: Mapping[str, Any], base: Path, weights: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    if (found := stored_fingerprint(base)) != description["base_fingerprint"]:
        raise BaseError(
            f"{source}: 该编码器基于另一份基础权重 · trained on base weights {description['base_fingerprint'][:12]}, "
            f"models/base.toml gives {found[:12]}; train it again: python -m training run training/configs/{name}.toml"
        )
    with step(f"{name}: 合并训练结果 · merge what was trained"):
        merged = apply_delta(source / DELTA_FILE, weights)
    if (found := fingerprint(merged)) != description["fingerprint"]:
        raise BundleError(f"{source}: merged weights are {found[:12]}, expected {description['fingerprint'][:12]}")
    return merged


def _compare(
    folder: Path, windower: Windower, texts: list[str], prefix: str, reference: NDArray[np.float32]
) -> Comparison:
    vectors = encode(OpenVinoSession(folder, threads=0), windower, texts, prefix, reference.shape[1])
    cosines = (normalise(vectors) * normalise(reference)).sum(axis=1)
    comparison = Comparison(
        texts=len(texts), cosine_mean=round(float(cosines.mean()), 5), cosine_min=round(float(cosines.min()), 5)
    )
    if comparison.cosine_min < MIN_COSINE:
        raise BundleError(
            f"{folder.name}: 量化误差过大 · cosine to the full-precision model is {comparison.cosine_min:.4f} on "
            f"{texts[int(cosines.argmin())]!r}, at least {MIN_COSINE} is needed"
        )
    return comparison


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
        files=_checksums(target, WEIGHTS_FILE),
    )
    (target / BUNDLE_FILE).write_text(bundle.model_dump_json(indent=1), "utf-8")


def _checksums(folder: Path, *names: str) -> dict[str, str]:
    return {name: sha256(folder / name) for name in names}


def _inputs_of(models_dir: Path, data_dir: Path, source: Path | None) -> str:
    parts = [RECIPE, sha256(models_dir / "base.toml"), *(sha256(texts_file(data_dir, name)) for name in ("calibration", "comparison"))]
    if source is not None:
        parts.append(_digest(source))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest(folder: Path) -> str:
    lines = [RECIPE, *(f"{file.name} {sha256(file)}" for file in sorted(folder.iterdir()) if file.is_file())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
