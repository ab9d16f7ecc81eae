"""Write the report: ``report.md`` with its plots, and ``figures.json`` with everything that it says."""

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from training.report import sections
from training.report.comparison import comparison
from training.report.figures import figures
from training.report.scored import Probabilities, Scored
from training.report.set_plots import SetPlots
from training.report.tables import escape, image

REPORT_FILE = "report.md"
FIGURES_FILE = "figures.json"
PLOT = re.compile(r"\d\d-[a-z0-9-]+\.png")


def write_report(
    folder: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    scored: Sequence[Scored],
    robustness: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Probabilities]],
    quantised_loss: Mapping[str, Mapping[str, float]],
    speed: Mapping[str, float],
) -> None:
    """Write the report of all sets into `folder`, whole or not at all; a report that is there is replaced.

    `robustness` (what `robustness` gives) and `baselines` (what `baselines` gives) are by `Scored.key`; sets that they
    do not name are reported without. `quantised_loss` is by whatever was compared, then by figure; `speed` by what was
    timed, with its unit. No text of an example is written.

    Raises ValueError for a key that no set has or that two have, and for a figure that is not finite; FileExistsError
    when `folder` holds something else than a report.
    """
    _check_keys(scored, [*robustness, *baselines])
    _check_replaceable(folder)
    content = {
        "title": title,
        "facts": dict(facts),
        "sets": {one.key: figures(one) for one in scored},
        "robustness": dict(robustness),
        "baselines": {one.key: comparison(one, others) for one in scored if (others := baselines.get(one.key))},
        "quantised_loss": {
            name: {part: float(value) for part, value in row.items()} for name, row in quantised_loss.items()
        },
        "speed": {name: float(value) for name, value in speed.items()},
    }
    written = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / FIGURES_FILE).write_text(written + "\n", encoding="utf-8")
    (partial / REPORT_FILE).write_text(_report(content, partial), encoding="utf-8")
    _replace(folder, partial)


def _report(content: Mapping[str, Any], folder: Path) -> str:
    """The Markdown of what `figures.json` holds; draws the plots into `folder`."""
    found, robustness, compared = content["sets"], content["robustness"], content["baselines"]
    parts = [f"# {escape(content['title'])}", sections.key_figures(list(found.values()))]
    parts.append(sections.facts_section(content["facts"]))
    for number, key in enumerate(found, start=1):
        parts.append(_set_section(found[key], number, robustness.get(key), compared.get(key), folder))
    parts += [sections.quantisation_section(content["quantised_loss"]), sections.speed_section(content["speed"])]
    return _joined([*parts, sections.READING])


def _set_section(
    found: Mapping[str, Any],
    number: int,
    robustness: Mapping[str, Any] | None,
    compared: Mapping[str, Mapping[str, Any]] | None,
    folder: Path,
) -> str:
    drawn = SetPlots(found, number, folder)
    parts = [f"## {sections.heading(found)}", sections.description(found), sections.classes_table(found)]
    parts += [image("F1", drawn.classes()), image("confusion matrix", drawn.confusion())]
    parts += ["### 置信度 · Confidence", image("reliability diagram", drawn.reliability())]
    parts += [image("risk and coverage", drawn.risk_coverage()), sections.slices_table(found)]
    if found["slices"]:
        parts.append(image("slices", drawn.slices()))
    if compared:
        parts += [sections.baselines_table(found, compared), image("baselines", drawn.baselines(compared))]
    if robustness is not None:
        parts.append(sections.robustness_table(robustness))
    parts.insert(2, sections.legend(drawn.legend))
    return _joined(parts).rstrip("\n")


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _check_keys(scored: Sequence[Scored], named: Iterable[str]) -> None:
    keys = [one.key for one in scored]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ValueError(f"report: two sets are named {twice[0]}")
    if unknown := sorted(set(named) - set(keys)):
        raise ValueError(f"report: there is no set {unknown[0]}, only {', '.join(keys)}")


def _check_replaceable(folder: Path) -> None:
    strange = [
        file.name
        for file in (folder.iterdir() if folder.exists() else [])
        if file.name not in {REPORT_FILE, FIGURES_FILE} and not PLOT.fullmatch(file.name)
    ]
    if strange:
        raise FileExistsError(f"{folder}: 含有其他文件，不会覆盖 · holds other files, not replaced: {strange[0]}")


def _replace(folder: Path, partial: Path) -> None:
    old = folder.with_name(f"{folder.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
