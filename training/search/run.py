"""From the search configuration to a candidate: mine hard negatives, train, blend, export, build, measure."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import TOKENIZER_FILE
from nlp_service.inference.encoder import normalise
from nlp_service.inference.release import ENCODERS, SEARCH, read_release
from nlp_service.inference.search_encoder import SearchEncoder
from nlp_service.inference.windows import Windower
from nlp_service.knowledge.likeness import Likeness
from training.base import load_base_spec, obtain_base
from training.base.source import read_weights
from training.base.spec import Prefixes
from training.build.bundles import Builder
from training.bundled import BundledModels
from training.console import console, quiet_libraries, step
from training.encoder import TorchSession, encode, load_with_weights, weights_of
from training.export import WINDOW_TOKENS
from training.metrics import Figure
from training.places import CANDIDATE_FILE, CONFIG_FILE, Places
from training.registry.candidate import read_candidate
from training.registry.comparison import COMPARISON_FILE, Comparison, TaskComparison, write_comparison
from training.search.blending import Blend, best_blend, blend
from training.search.config import SearchConfig
from training.search.contrastive import train_search
from training.search.duplicates import fit_likeness, pair_table
from training.search.duplicates_report import REPEATS_FILE, read_repeats
from training.search.export import export_search
from training.search.figures import (
    RetrievalSet,
    bm25_scores,
    dense_scores,
    own_pairs,
    own_queries,
    pair_figure,
    ranks,
    read_faq,
    read_pairs,
    retrieval_figures,
)
from training.search.pairs import (
    SearchData,
    Triplet,
    article_triplets,
    intent_triplets,
    read_search_data,
    split_of,
    wording_triplets,
)
from training.search.queries import finish_queries
from training.search.report import SearchRow, write_search_report

Weights = dict[str, NDArray[np.float32]]
HARD_ARTICLES = 2


class PrefixedEncoder:
    """Pooled vectors with the prefix of each side."""

    def __init__(self, encode_texts: Callable[[Sequence[str]], NDArray[np.float32]], prefix: Prefixes) -> None:
        self._encode = encode_texts
        self._prefix = prefix

    def query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Of queries, shape (texts, dimension)."""
        return self._encode([self._prefix.query + text for text in texts])

    def passage(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Of articles, shape (texts, dimension)."""
        return self._encode([self._prefix.passage + text for text in texts])


def run_search(config: SearchConfig, places: Places) -> Path:
    """Train the search encoder; returns the folder of the candidate."""
    quiet_libraries()
    spec = load_base_spec(places.models)
    base = obtain_base(spec, places.var)
    data = read_search_data(config.data, config.knowledge)
    plain_weights = read_weights(base)
    plain = _encoder(base, plain_weights, spec.prefix)
    with step("挖掘难负例 · mine hard negatives"):
        triplets = _triplets(config, data, spec.prefix, plain)
    transformer = train_search(config, base, triplets, places.var / "training" / SEARCH)
    tuned = weights_of(transformer)
    share, chosen = _choose(config, data, base, plain_weights, tuned, spec.prefix, plain)
    unfinished = places.candidates / f"{SEARCH}.partial"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    likeness = _likeness(config, places, _encoder(base, chosen, spec.prefix))
    description = export_search(config, spec, base, chosen, share, data, likeness, unfinished / "models")
    finish_queries(config, places, unfinished / "models" / ENCODERS / config.encoder)
    parts = Builder(places.models, places.data, places.var, unfinished / "bundles").build(unfinished / "models")
    (unfinished / CONFIG_FILE).write_text(config.model_dump_json(indent=1) + "\n", encoding="utf-8")
    candidate = {
        "target": SEARCH,
        "version": description["version"],
        "parts": parts,
        "encoders": [parts[SEARCH]],
        "parameters": {
            "triplets": len(triplets),
            "blend": share,
            **config.model_dump(include={"seed", "epochs", "learning_rate", "batch_size", "temperature", "negatives"}),
        },
        "data": description["data"],
    }
    (unfinished / CANDIDATE_FILE).write_text(json.dumps(candidate, ensure_ascii=False, indent=1) + "\n", "utf-8")
    folder = places.candidates / f"{SEARCH}-{description['version']}"
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    console.print(f"[green]✓[/green] 候选 · candidate {folder}")
    return folder


def evaluate_search(folder: Path, config: SearchConfig, places: Places) -> None:
    """Write ``report/`` and ``comparison.json`` of a candidate; raises DataError when the data is gone or broken."""
    quiet_libraries()
    candidate = read_candidate(folder)
    spec = load_base_spec(places.models)
    base = obtain_base(spec, places.var)
    data = read_search_data(config.data, config.knowledge)
    tuned = SearchEncoder(folder / "bundles" / candidate.parts[SEARCH], threads=0)
    rows = measure(config, data, _encoder(base, read_weights(base), spec.prefix), tuned)
    facts = {name: str(value) for name, value in candidate.parameters.items()}
    write_search_report(folder / "report", f"{SEARCH} {candidate.version}", facts, rows)
    write_comparison(folder / COMPARISON_FILE, _comparison(data, tuned, places))
    console.print(f"[green]✓[/green] {folder / 'report' / 'report.md'}")


def _comparison(data: SearchData, tuned: SearchEncoder, places: Places) -> Comparison:
    """The mean reciprocal rank of held-out queries, candidate beside what serves."""
    serving = read_release(places.bundles).serving
    champion = SearchEncoder(places.bundles / serving[SEARCH], threads=0)
    retrieval = own_queries(data, "test")
    found, seconds = [], []
    for built in (tuned, champion):
        started = time.perf_counter()
        scores = dense_scores(retrieval, built.query, built.passage)
        seconds.append(time.perf_counter() - started)
        found.append(1 / ranks(scores, retrieval.answer))
    rows = np.random.default_rng(0).integers(0, len(found[0]), (1000, len(found[0])))
    difference = found[0] - found[1]
    low, high = np.percentile(difference[rows].mean(axis=1), [2.5, 97.5])
    task = TaskComparison(
        metric="MRR",
        labels=(),
        champion_labels=(),
        texts=len(retrieval.queries),
        candidate=float(found[0].mean()),
        champion=float(found[1].mean()),
        difference=Figure(float(difference.mean()), float(low), float(high)),
        ece=None,
        slices={},
        slower=seconds[0] / seconds[1],
    )
    return Comparison(champion=serving, tasks={SEARCH: task})


def measure(config: SearchConfig, data: SearchData, plain: PrefixedEncoder, tuned: SearchEncoder) -> list[SearchRow]:
    """Every test set, for the plain encoder in full precision, the candidate as built, and BM25."""
    rows = []
    pair_sets = [own_pairs(data.wordings, "test"), *(read_pairs(*item) for item in sorted(config.pairs.items()))]
    for pairs in pair_sets:
        with step(f"{pairs.name}: {len(pairs.left):,}"):
            rows.append(
                SearchRow(
                    pairs.name,
                    len(pairs.left),
                    "ROC AUC",
                    {"plain": pair_figure(pairs, plain.query), "candidate": pair_figure(pairs, tuned.query)},
                )
            )
    retrievals = [own_queries(data, "test"), *([read_faq(*config.faq)] if config.faq else [])]
    for retrieval in retrievals:
        with step(f"{retrieval.name}: {len(retrieval.queries):,}"):
            rows.extend(_retrieval_rows(retrieval, plain, tuned))
    return rows


def _retrieval_rows(retrieval: RetrievalSet, plain: PrefixedEncoder, built: SearchEncoder) -> list[SearchRow]:
    found = {
        "BM25": retrieval_figures(ranks(bm25_scores(retrieval), retrieval.answer)),
        "plain": retrieval_figures(ranks(dense_scores(retrieval, plain.query, plain.passage), retrieval.answer)),
        "candidate": retrieval_figures(ranks(dense_scores(retrieval, built.query, built.passage), retrieval.answer)),
    }
    return [
        SearchRow(
            retrieval.name,
            len(retrieval.queries),
            measure_name,
            {method: figures[measure_name] for method, figures in found.items()},
        )
        for measure_name in found["plain"]
    ]


def _encoder(base: Path, weights: Weights, prefix: Prefixes) -> PrefixedEncoder:
    session = TorchSession(load_with_weights(base, weights))
    windower = Windower(base / TOKENIZER_FILE, WINDOW_TOKENS)
    return PrefixedEncoder(lambda texts: encode(session, windower, texts, "", session.dimension), prefix)


def _triplets(config: SearchConfig, data: SearchData, prefix: Prefixes, plain: PrefixedEncoder) -> list[Triplet]:
    queries = [query for query in data.queries if query.split == "train"]
    retrieval = own_queries(data, "train")
    keys = list(data.articles)
    order = np.argsort(-dense_scores(retrieval, plain.query, plain.passage), axis=1)
    hard = {
        query.id: [keys[place] for place in row.tolist() if keys[place] != query.external_id][:HARD_ARTICLES]
        for query, row in zip(queries, order, strict=True)
    }
    groups = [group for group in data.wordings if split_of(group.id) == "train"]
    triplets = [*wording_triplets(groups, prefix), *article_triplets(queries, data.articles, hard, prefix)]
    if config.intents is not None:
        triplets.extend(intent_triplets(config.intents, prefix, config.intent_pairs, config.seed))
    return triplets


def _choose(
    config: SearchConfig,
    data: SearchData,
    base: Path,
    plain_weights: Weights,
    tuned: Weights,
    prefix: Prefixes,
    plain: PrefixedEncoder,
) -> tuple[float, Weights]:
    """The share of the tuned weights to export, and the weights, by the validation split."""
    pairs, retrieval = own_pairs(data.wordings, "validation"), own_queries(data, "validation")
    tried = []
    for share in (0.0, *config.blends):
        encoder = _encoder(base, blend(plain_weights, tuned, share), prefix) if share else plain
        one = Blend(share, _reciprocal_rank(retrieval, encoder), pair_figure(pairs, encoder.query).value)
        console.print(f"  blend {share}: MRR {one.reciprocal_rank:.4f}, ROC AUC {one.separation:.4f}")
        tried.append(one)
    share = best_blend(tried).share
    return share, blend(plain_weights, tuned, share)


def _likeness(config: SearchConfig, places: Places, encoder: PrefixedEncoder) -> Likeness | None:
    """When a ticket repeats another, by the vectors of this encoder; None when no repeats are there to fit it on.

    Raises BundleError when nothing that serves tells the class of a ticket.
    """
    file = config.data / REPEATS_FILE
    if not file.is_file():
        console.print(
            f"[yellow]![/yellow] 缺少 {file},重复工单沿用随附编码器的概率 · missing: duplicates of tickets keep the "
            "probabilities of the shipped encoder, which may not hold for this one"
        )
        return None
    serving = read_release(places.bundles).serving
    models = BundledModels([places.bundles], {"classify": serving["classify"]})

    def labels(texts: Sequence[str]) -> list[str]:
        known = models.heads["classify"].bundle.labels
        return [known[place] for place in models.probabilities("classify", texts).argmax(axis=1)]

    with step("校准重复工单 · calibrate the duplicates of tickets"):
        return fit_likeness(
            pair_table(
                *read_repeats(places.data / "tickets", file, lambda texts: normalise(encoder.passage(texts)), labels)
            )
        )


def _reciprocal_rank(retrieval: RetrievalSet, encoder: PrefixedEncoder) -> float:
    found = ranks(dense_scores(retrieval, encoder.query, encoder.passage), retrieval.answer)
    return float((1 / found).mean())
