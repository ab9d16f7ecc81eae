"""The runtime bundle of one encoder."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, Comparison, EncoderBundle, Prefix, sha256
from nlp_service.inference.encoder import TEST_VECTORS_FILE, normalise
from nlp_service.inference.session import GRAPH_FILE, OpenVinoSession, Precision
from nlp_service.inference.session import WEIGHTS_FILE as GRAPH_WEIGHTS_FILE
from nlp_service.inference.windows import Windower
from training.base import load_base_spec, obtain_base
from training.base.errors import BaseError
from training.base.source import fingerprint, read_weights, stored_fingerprint
from training.build.graph import compress, quantise, save_graph, to_graph
from training.build.texts import TEST_VECTOR_TEXTS, read_texts
from training.build.unigram import write_tokenizer
from training.console import console, quiet_libraries, step
from training.delta import apply_delta
from training.encoder import TorchSession, encode, load_with_weights
from training.export import DELTA_FILE, WINDOW_TOKENS

MIN_COSINE = 0.99


def write_encoder_bundle(
    name: str, source: Path | None, models_dir: Path, data_dir: Path, var_dir: Path, target: Path
) -> None:
    """Write the bundle of one encoder into `target`: the change in `source` on the base, or the base as it is.

    Raises BaseError when the base cannot be had or is not the one that `source` was trained on, BundleError when the
    quantised encoder strays from the full-precision one.
    """
    quiet_libraries()
    spec = load_base_spec(models_dir)
    base = obtain_base(spec, var_dir)
    weights = read_weights(base)
    version, quantisation, relevance, likeness = "base", spec.quantisation, None, None
    if source is not None:
        description = json.loads((source / "encoder.json").read_text("utf-8"))
        version, quantisation = description["version"], description["quantisation"]
        relevance, likeness = description.get("relevance"), description.get("likeness")
        weights = _merge(name, source, description, base, weights)
    transformer = load_with_weights(base, weights)
    calibration = read_texts(data_dir, "calibration")
    comparison_texts = read_texts(data_dir, "comparison")
    tokenizer = write_tokenizer(base, target, [*calibration, *comparison_texts])
    windower = Windower(target / tokenizer, WINDOW_TOKENS)
    prefix = spec.prefix.query
    with step(f"{name}: 导出 · export"):
        graph = to_graph(transformer)
    with step(f"{name}: 量化为 int8 · quantise ({quantisation})"):
        precision: Precision = "int8-dynamic" if quantisation == "dynamic" else "int8-static"
        dynamic = precision == "int8-dynamic"
        save_graph(compress(graph) if dynamic else quantise(graph, windower, calibration, prefix), target)
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
            precision=precision,
            relevance=relevance,
            likeness=likeness,
            comparison=_compare(target, precision, windower, comparison_texts, prefix, full),
            files={
                file: sha256(target / file) for file in (tokenizer, GRAPH_FILE, GRAPH_WEIGHTS_FILE, TEST_VECTORS_FILE)
            },
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
    folder: Path,
    precision: Precision,
    windower: Windower,
    texts: list[str],
    prefix: str,
    reference: NDArray[np.float32],
) -> Comparison:
    vectors = encode(OpenVinoSession(folder, 0, precision), windower, texts, prefix, reference.shape[1])
    cosines = (normalise(vectors) * normalise(reference)).sum(axis=1)
    comparison = Comparison(
        texts=len(texts), cosine_mean=round(float(cosines.mean()), 5), cosine_min=round(float(cosines.min()), 5)
    )
    if comparison.cosine_min < MIN_COSINE:
        raise BundleError(
            f"{folder.name}: 量化误差过大 · cosine to the full-precision model is {comparison.cosine_min:.4f} on "
            f'{texts[int(cosines.argmin())]!r}, at least {MIN_COSINE} is needed; try quantisation = "dynamic"'
        )
    return comparison
