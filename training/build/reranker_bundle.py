"""The runtime bundle of a reranker, from a sentence-transformers cross-encoder in a folder."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, TOKENIZER_FILE, WHOLE, Comparison, EncoderBundle, Prefix, sha256
from nlp_service.inference.encoder import (
    Vectors,
    centred,
    normalise,
    run_windows,
)
from nlp_service.inference.locking import exclusive
from nlp_service.inference.pairs import PairWindower, pair
from nlp_service.inference.release import (
    ENCODERS,
    PARTIAL,
    RERANKER,
    SEARCH,
    encoder_folder,
    read_release,
    write_release,
)
from nlp_service.inference.search_encoder import SearchEncoder
from nlp_service.inference.session import OpenVinoSession
from training.build.cross_encoder import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    CrossEncoder,
    load_cross_encoder,
    score_graph,
    token_limit,
)
from training.build.graph import compress, save_graph
from training.console import quiet_libraries, step
from training.search.pairs import SearchData
from training.search.reranking import Candidates, Fitted, candidates, fit_reranking, validation_queries

MIN_CORRELATION = 0.98
COMPARED = 20
"""So many queries' hits are compared with full precision."""
TEST_PAIRS = 8
"""So many pairs travel in the bundle, with their scores."""


def install_reranker(
    source: Path, data: SearchData, bundles: Path, max_tokens: int | None = None, queries: int | None = None
) -> tuple[str, Fitted]:
    """Build the bundle of the cross-encoder in `source` and let it serve; returns its folder and how it was fitted.

    Pairs are cut to `max_tokens`; at most `queries` validation queries are asked. Raises BundleError when the folder
    holds no cross-encoder that may be read, or when its quantised scores stray from those in full precision.
    """
    quiet_libraries()
    model = load_cross_encoder(source)
    limit = min(max_tokens or token_limit(source), token_limit(source))
    search = SearchEncoder(bundles / read_release(bundles).serving[SEARCH], threads=0)
    with step("检索校准问题 · search for the validation queries"):
        found = candidates(data, validation_queries(data, queries), search)
    unfinished = bundles / ENCODERS / f"{RERANKER}{PARTIAL}"
    with exclusive(bundles):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        bundle, fitted = _write(source, model, limit, found, unfinished)
        folder = encoder_folder(bundle.name, bundle.fingerprint)
        if not (bundles / folder).is_dir():
            unfinished.rename(bundles / folder)
        shutil.rmtree(unfinished, ignore_errors=True)
        write_release(
            bundles, read_release(bundles).changed("promote", RERANKER, {RERANKER: folder}, source.resolve().name)
        )
    return folder, fitted


def _write(
    source: Path, model: CrossEncoder, limit: int, found: Candidates, target: Path
) -> tuple[EncoderBundle, Fitted]:
    shutil.copy(source / TOKENIZER_FILE, target / TOKENIZER_FILE)
    windower = PairWindower(target / TOKENIZER_FILE, limit)
    with step("导出并量化 · export and quantise"):
        save_graph(compress(score_graph(model)), target)
    session = OpenVinoSession(target, 0, "int8-dynamic")

    def score(texts: Sequence[str]) -> Vectors:
        return run_windows(session, windower.windows(texts), 1)

    with step("与全精度比较 · compare with full precision"):
        comparison = _compare(model, windower, found, score, target / WHOLE.test_vectors)
    with step("校准 · calibrate"):
        fitted = fit_reranking(found, score)
    fingerprint = _fingerprint(source, limit, fitted)
    bundle = EncoderBundle(
        name=RERANKER,
        version=f"{datetime.now(UTC):%Y.%m.%d}-{fingerprint[:6]}",
        base=_name_of(source),
        fingerprint=fingerprint,
        pooling="score",
        prefix=Prefix(query="", passage=""),
        window_tokens=limit,
        dimension=1,
        precision="int8-dynamic",
        comparison=comparison,
        reranking=fitted.reranking,
        files={file: sha256(target / file) for file in (TOKENIZER_FILE, *WHOLE)},
    )
    (target / BUNDLE_FILE).write_text(bundle.model_dump_json(indent=1), "utf-8")
    for file in target.iterdir():
        file.chmod(0o644)
    return bundle, fitted


def _compare(
    model: CrossEncoder,
    windower: PairWindower,
    found: Candidates,
    score: Callable[[Sequence[str]], Vectors],
    test_vectors: Path,
) -> Comparison:
    """How the scores of each query's hits correlate; writes the test vectors. Raises BundleError when they stray."""
    cosines = []
    for number, (query, passages) in enumerate(list(zip(found.queries, found.passages, strict=True))[:COMPARED]):
        texts = [pair(query, passage.replace("\n", " ")) for passage in passages]
        full = full_scores(model, windower, texts)
        cosines.append(float((normalise(centred(score(texts).T)) @ normalise(centred(full.T)).T).item()))
        if number == 0:
            few = np.frombuffer("\n".join(texts[:TEST_PAIRS]).encode(), dtype=np.uint8)
            save_file({"texts": few, "vectors": full[:TEST_PAIRS]}, test_vectors)
    if min(cosines) < MIN_CORRELATION:
        raise BundleError(
            f"量化误差过大 · the quantised scores of a query's hits correlate by {min(cosines):.4f} with those in full "
            f"precision, at least {MIN_CORRELATION} is needed"
        )
    return Comparison(
        texts=len(cosines), cosine_mean=round(float(np.mean(cosines)), 5), cosine_min=round(min(cosines), 5)
    )


def full_scores(model: CrossEncoder, windower: PairWindower, texts: Sequence[str]) -> NDArray[np.float32]:
    """Scores of pairs in full precision, shape (pairs, 1)."""
    with torch.inference_mode():
        rows = [torch.tensor([window.ids]) for window in windower.windows(texts)]
        scores: NDArray[np.float32] = torch.cat([model(ids, torch.ones_like(ids)) for ids in rows]).numpy()
    return scores


def _fingerprint(source: Path, limit: int, fitted: Fitted) -> str:
    """Of everything that the bundle is made from."""
    parts = [sha256(source / file) for file in (CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE)]
    fit = json.dumps(fitted.reranking.model_dump(), sort_keys=True)
    return hashlib.sha256("\n".join([*parts, str(limit), fit]).encode()).hexdigest()


def _name_of(source: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", source.resolve().name)
