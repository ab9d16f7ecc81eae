"""The runtime bundle of one encoder."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import (
    BUNDLE_FILE,
    FIXED,
    QUERY,
    WHOLE,
    Comparison,
    EncoderBundle,
    GraphFiles,
    Prefix,
    QueryGraph,
    sha256,
)
from nlp_service.inference.encoder import normalise
from nlp_service.inference.session import Arithmetic, OpenVinoSession
from nlp_service.inference.windows import Windower
from training.base import load_base_spec, obtain_base
from training.base.errors import BaseError
from training.base.source import fingerprint, read_weights, stored_fingerprint
from training.build.graph import compress, fix_ranges, save_graph, to_graph
from training.build.shared_weights import share_weights
from training.build.texts import TEST_VECTOR_TEXTS, read_texts
from training.build.unigram import write_tokenizer
from training.console import console, quiet_libraries, step
from training.encoder import TorchSession, encode
from training.export import WINDOW_TOKENS
from training.shallow import read_student
from training.stored import of_layers, read_description, stored_weights

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
    version, quantisation, relevance, likeness, queries = "base", spec.quantisation, None, None, None
    layers = None
    if source is not None:
        description = read_description(source)
        version, quantisation = description["version"], description["quantisation"]
        relevance, likeness = description.get("relevance"), description.get("likeness")
        queries, layers = description.get("queries"), description.get("layers")
        weights = _merge(name, source, description, base)
    else:
        weights = read_weights(base)
    transformer = of_layers(base, layers, weights)
    calibration, comparison = read_texts(data_dir, "calibration"), read_texts(data_dir, "comparison")
    tokenizer = write_tokenizer(base, target, [*calibration, *comparison])
    windower = Windower(target / tokenizer, WINDOW_TOKENS)
    writer = _GraphWriter(name, target, windower, spec.prefix.query, calibration, comparison)
    whole = writer.write(transformer, WHOLE)
    files, fixed, query_graph = [tokenizer, *WHOLE], None, None
    if quantisation == "static" and (fixed := writer.write_fixed(transformer)):
        files.append(FIXED.graph)
    if source is not None and queries is not None:
        query = writer.write(read_student(source, transformer, queries), QUERY)
        beside = _cosines(query.vectors, whole.vectors)
        files = sorted({*files, *QUERY})
        query_graph = QueryGraph(comparison=beside, max_tokens=queries["max_tokens"])
    bundle = EncoderBundle(
        name=name,
        version=version,
        base=spec.name,
        fingerprint=fingerprint(weights),
        pooling=spec.pooling,
        prefix=Prefix(query=spec.prefix.query, passage=spec.prefix.passage),
        window_tokens=WINDOW_TOKENS,
        dimension=whole.vectors.shape[1],
        precision="int8-dynamic" if fixed is None else "int8-static",
        relevance=relevance,
        likeness=likeness,
        comparison=whole.comparison,
        fixed=fixed,
        queries=query_graph,
        files={file: sha256(target / file) for file in files},
    )
    if source is not None:
        shutil.copy(source / "README.md", target / "README.md")
    (target / BUNDLE_FILE).write_text(bundle.model_dump_json(indent=1), "utf-8")


def _merge(name: str, source: Path, description: Mapping[str, Any], base: Path) -> dict[str, NDArray[np.float32]]:
    if (found := stored_fingerprint(base)) != description["base_fingerprint"]:
        raise BaseError(
            f"{source}: 该编码器基于另一份基础权重 · trained on base weights {description['base_fingerprint'][:12]}, "
            f"models/base.toml gives {found[:12]}; train it again: python -m training run training/configs/{name}.toml"
        )
    with step(f"{name}: 合并训练结果 · merge what was trained"):
        merged = stored_weights(source, base)
    if (found := fingerprint(merged)) != description["fingerprint"]:
        raise BundleError(f"{source}: merged weights are {found[:12]}, expected {description['fingerprint'][:12]}")
    return merged


@dataclass(frozen=True)
class _Written:
    vectors: NDArray[np.float32]
    """In full precision, of the comparison texts."""
    comparison: Comparison


@dataclass(frozen=True)
class _GraphWriter:
    name: str
    target: Path
    windower: Windower
    prefix: str
    calibration: list[str]
    comparison: list[str]

    def write(self, transformer: Any, files: GraphFiles) -> _Written:
        """Write a transformer's graph, weights and test vectors; raises BundleError when quantising moves them far."""
        name = f"{self.name} ({len(transformer.encoder.layer)})"
        with step(f"{name}: 导出 · export"):
            graph = to_graph(transformer)
        arithmetic: Arithmetic = "int8-static" if files == FIXED else "int8-dynamic"
        with step(f"{name}: 量化 · quantise ({arithmetic})"):
            if files == FIXED:
                quantised = fix_ranges(graph, self.windower, self.calibration, self.prefix)
            else:
                quantised = compress(graph)
            save_graph(quantised, self.target, files.graph)
            if files != WHOLE:
                share_weights(self.target, self.target / files.graph, WHOLE)
        with step(f"{name}: 与全精度比较 · compare with full precision"):
            reference = TorchSession(transformer)
            vectors = encode(reference, self.windower, self.comparison, self.prefix, reference.dimension)
            few = np.frombuffer("\n".join(self.comparison[:TEST_VECTOR_TEXTS]).encode(), dtype=np.uint8)
            save_file({"texts": few, "vectors": vectors[:TEST_VECTOR_TEXTS]}, self.target / files.test_vectors)
            # in 8 bits, which every processor can
            session = OpenVinoSession(self.target, 0, arithmetic, files=files)
            found = encode(session, self.windower, self.comparison, self.prefix, reference.dimension)
            comparison = _cosines(found, vectors)
        if comparison.cosine_min < MIN_COSINE:
            raise BundleError(
                f"{name}: 量化误差过大 · cosine to the full-precision model is {comparison.cosine_min:.4f}, "
                f'at least {MIN_COSINE} is needed; try quantisation = "dynamic"'
            )
        console.print(f"  {name}: cosine {comparison.cosine_mean:.4f}, min {comparison.cosine_min:.4f}")
        return _Written(vectors, comparison)

    def write_fixed(self, transformer: Any) -> Comparison | None:
        """Write the graph with fixed ranges beside the whole one; None, and nothing, when they move the vectors far."""
        weights = self.target / FIXED.weights
        size = weights.stat().st_size
        try:
            return self.write(transformer, FIXED).comparison
        except BundleError as error:
            console.print(f"[yellow]![/yellow] {error}\n  不用固定量程 · goes without fixed ranges")
            (self.target / FIXED.graph).unlink()
            os.truncate(weights, size)
            return None


def _cosines(vectors: NDArray[np.float32], reference: NDArray[np.float32]) -> Comparison:
    cosines = (normalise(vectors) * normalise(reference)).sum(axis=1)
    return Comparison(
        texts=len(cosines), cosine_mean=round(float(cosines.mean()), 5), cosine_min=round(float(cosines.min()), 5)
    )
