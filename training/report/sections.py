"""The parts of the report that speak of all sets, and of the figures of one set."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.card import SOURCES
from training.report.plots import MEASURES
from training.report.slices import FAULT_OR_REQUEST, MIN_SLICE
from training.report.tables import NONE, escape, interval, table

SPLITS = {
    "train": "seen in training",
    "validation": "not trained on, but temperature and thresholds were fitted on it",
    "test": "seen neither in training nor in fitting",
}
READING = f"""## 如何阅读 · How to read

Square brackets are 95 % intervals: the figure over 1,000 samples of the same texts, drawn with replacement. They say
how much the choice of texts matters, not how other customers write, and say little of very few texts. Macro-F1 is the
mean over the classes that occur; micro-F1 of aspects counts a mention as right when aspect and polarity are. ECE is the
gap between confidence and accuracy (15 bins, before and after temperature scaling); it has no interval, because
resampling tends to raise it. *Given* is the share of answers that reach the review threshold, *right of these* their
precision; of aspects only the mentions that were given count. Confusion matrix and ECE of aspects are over all answers,
one for each text and aspect. Slices of fewer than {MIN_SLICE} texts are left out."""


def key_figures(sets: Sequence[Mapping[str, Any]]) -> str:
    """One row for each set."""
    header = ["集 · set", "texts", "measure", "value", "accuracy", "ECE before → after", "given", "right of these"]
    rows = []
    for found in sets:
        measure = found["measure"]
        ece, review = found["ece"], found["review"]
        rows.append(
            [
                heading(found),
                f"{found['texts']:,}",
                MEASURES[measure],
                f"**{interval(found[measure])}**",
                interval(found["accuracy"]),
                f"{ece['before']:.3f} → {ece['after']:.3f}",
                interval(review["coverage"]),
                interval(review["precision"]),
            ]
        )
    return f"## 主要结果 · Key figures\n\n{table(header, rows)}"


def facts_section(facts: Mapping[str, str]) -> str:
    """What was measured, as the caller describes it."""
    rows = [(escape(name), escape(value)) for name, value in facts.items()]
    return f"## 评测对象 · What was measured\n\n{table(['', ''], rows, names=2)}" if rows else ""


def quantisation_section(losses: Mapping[str, Mapping[str, float]]) -> str:
    """What is lost between the model in full precision and the one that is served."""
    if not losses:
        return ""
    columns = list(dict.fromkeys(name for row in losses.values() for name in row))
    rows = [
        [escape(name), *(f"{row[column]:.4f}" if column in row else NONE for column in columns)]
        for name, row in losses.items()
    ]
    return f"## 量化损失 · Loss by quantisation\n\n{table(['', *map(escape, columns)], rows)}"


def speed_section(speed: Mapping[str, float]) -> str:
    """Timings, named by the caller with their units."""
    rows = [(escape(name), f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}") for name, value in speed.items()]
    return f"## 速度 · Speed\n\n{table(['', ''], rows)}" if rows else ""


def description(found: Mapping[str, Any]) -> str:
    """What the set is, and how many texts it has."""
    source, _, split = found["name"].rpartition("/")
    what = SOURCES.get(source) or (f"texts of {escape(source)}" if source else "labelled texts")
    parts = [f"{found['texts']:,} text{'s' if found['texts'] != 1 else ''}", what]
    if split in SPLITS:
        parts.append(f"{split} split: {SPLITS[split]}")
    return f"{'; '.join(parts)}. Review threshold {found['review']['threshold']:.4g}."


def classes_table(found: Mapping[str, Any]) -> str:
    """Precision, recall and F1 of each class, or how well each aspect is found and judged."""
    if "classes" in found:
        header = ["类别 · class", "texts", "answered", "precision", "recall", "F1"]
        rows = [
            [
                escape(name),
                row["texts"],
                row["answered"],
                *(interval(row[part]) for part in ("precision", "recall", "f1")),
            ]
            for name, row in found["classes"].items()
        ]
    else:
        header = ["方面 · aspect", "mentions", "answered", "found", "F1 of mentions", "polarity right when found"]
        rows = [
            [escape(name), row["mentions"], row["answered"], row["found"]]
            + [interval(row[part]) for part in ("mention_f1", "polarity_accuracy")]
            for name, row in found["aspects"].items()
        ]
    return table(header, rows)


def slices_table(found: Mapping[str, Any]) -> str:
    """Every slice, and for tickets how well faults are told from feature requests."""
    measure = found["measure"]
    fields = {**found["slices"], **({FAULT_OR_REQUEST: found[FAULT_OR_REQUEST]} if FAULT_OR_REQUEST in found else {})}
    rows = [
        [escape(field), escape(value), f"{part['texts']:,}", interval(part[measure]), interval(part["accuracy"])]
        for field, values in fields.items()
        for value, part in values.items()
    ]
    header = ["切片 · slice", "value", "texts", MEASURES[measure], "accuracy"]
    return f"### 切片 · Slices\n\n{table(header, rows, names=2)}" if rows else ""


def robustness_table(found: Mapping[str, Any]) -> str:
    """What rewriting the texts costs."""
    measure = found["measure"]
    rows = [
        [
            escape(name),
            f"{row['altered']:.1%}",
            interval(row[measure]),
            interval(row["loss"], sign=True),
            interval(row["changed"]),
        ]
        for name, row in found["perturbations"].items()
    ]
    header = ["改写 · perturbation", "texts altered", MEASURES[measure], "loss", "answers changed"]
    return (
        "### 稳健性 · Robustness\n\nThe same texts written differently; nothing that they say is changed. "
        f"Unperturbed: {interval(found['unperturbed'])}.\n\n{table(header, rows)}"
    )


def baselines_table(found: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    """The model above simpler methods."""
    measure = found["measure"]
    rows = [["**model**", f"**{interval(found[measure])}**", interval(found["accuracy"]), NONE]]
    rows += [
        [escape(name), interval(row[measure]), interval(row["accuracy"]), interval(row["lead"], sign=True)]
        for name, row in others.items()
    ]
    header = ["方法 · method", MEASURES[measure], "accuracy", "model's lead"]
    return f"### 基线 · Baselines\n\n{table(header, rows)}"


def legend(names: Mapping[str, str]) -> str:
    """What the stand-ins in the plots mean."""
    pairs = "; ".join(f"{shown}: {escape(meant)}" for shown, meant in names.items())
    return f"图例 · In the plots: {pairs}." if names else ""


def heading(found: Mapping[str, Any]) -> str:
    """Task and name of a set."""
    return f"{escape(found['task'])} · {escape(found['name'])}"
