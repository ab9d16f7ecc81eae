"""The sections of the report that point to texts; each shows the texts only where it is asked to."""

from collections.abc import Sequence

from nlp_service.text.personal_data import mask
from training.audit.duplicates import Conflict, Duplicate
from training.audit.entry import Entry
from training.audit.label_issues import LabelIssues
from training.audit.markdown_counts import CLASS, TASK, counts_of
from training.audit.overview import Opening
from training.audit.problems import FAULT_NAMES
from training.audit.schema import FAULTS, SchemaFault
from training.audit.spread import Spread
from training.audit.tables import NONE, Cell, escape, listed, table
from training.data.split import SPLITS

TEXT_CHARACTERS = 80
PLACE = "位置 · where"


def schema_section(faults: Sequence[SchemaFault], *, show_text: bool) -> list[str]:
    """How many texts have each fault, and which."""
    counts = [(f"{FAULT_NAMES[fault]} · {fault}", sum(found.fault == fault for found in faults)) for fault in FAULTS]
    rows: list[Sequence[Cell]] = [
        (f"{FAULT_NAMES[found.fault]} · {found.fault}", *_place_and_text([found.entry], show_text)) for found in faults
    ]
    return [
        "## 2 格式问题 · Schema problems",
        table(["问题 · problem", "文本数 · texts"], counts),
        table(["问题 · problem", *_headings(show_text)], rows),
    ]


def duplicate_section(duplicates: Sequence[Duplicate], *, show_text: bool) -> list[str]:
    """Equal and similar texts, those in different splits first."""
    ranked = sorted(duplicates, key=lambda duplicate: (not duplicate.leaks, -duplicate.similarity))
    rows: list[Sequence[Cell]] = [
        (
            "是 · yes" if duplicate.leaks else "否 · no",
            _kind(duplicate.exact),
            duplicate.similarity,
            *_place_and_text(duplicate.entries, show_text, alike=duplicate.exact),
        )
        for duplicate in ranked
    ]
    headings = ["跨集合 · across splits", "种类 · kind", "相似度 · similarity", *_headings(show_text)]
    return [
        "## 3 重复与泄漏 · Duplicates and leakage",
        "### 相同与近似的文本 · Equal and similar texts",
        "相同:忽略全半角、大小写与空白 · Equal: but for width, case and white space.",
        "近似:5 字片段的 Jaccard 系数超过 0.5 · Similar: Jaccard similarity of 5-grams over 0.5.",
        table(headings, rows),
    ]


def spread_section(spread: Sequence[Spread], by_product: Sequence[str]) -> list[str]:
    """Groups and products that stand in several splits."""
    rows: list[Sequence[Cell]] = [(found.kind, found.source, found.name, *counts_of(found.texts)) for found in spread]
    return [
        "### 跨集合的分组与产品 · Groups and products in several splits",
        f"按产品划分的来源 · Sources split by product: {escape(', '.join(by_product)) or NONE}",
        table(["种类 · kind", "来源 · source", "名称 · name", *SPLITS], rows),
    ]


def conflict_section(conflicts: Sequence[Conflict], *, show_text: bool) -> list[str]:
    """Equal and similar texts that are labelled differently, equal ones first."""
    rows: list[Sequence[Cell]] = [
        (
            conflict.question,
            _kind(conflict.exact),
            " / ".join(conflict.labels),
            *_place_and_text(conflict.entries, show_text, alike=conflict.exact),
        )
        for conflict in sorted(conflicts, key=lambda conflict: not conflict.exact)
    ]
    headings = [TASK, "种类 · kind", "标签 · labels", *_headings(show_text)]
    return ["### 标签冲突 · Conflicting labels", table(headings, rows)]


def label_issue_section(issues: Sequence[LabelIssues], *, show_text: bool) -> list[str]:
    """For each question the suspected share of each class, and the worst texts."""
    blocks = [
        "## 5 疑似标错 · Probably wrong labels",
        "比例为估计值,难判断的文本也在其中 · Shares are estimates; texts that are merely hard are among them.",
    ]
    for found in issues:
        blocks += [f"### {escape(found.question)}", *_of_question(found, show_text)]
    return blocks if issues else [*blocks, NONE]


def opening_section(openings: Sequence[Opening], *, show_text: bool) -> list[str]:
    """The most repeated openings, or only how often they are repeated."""
    rows: list[Sequence[Cell]] = [
        (opening.characters, opening.share) if show_text else (opening.share,) for opening in openings
    ]
    headings = ["开头 · opening", "占比 · share"] if show_text else ["占比 · share"]
    return ["## 6 重复的开头 · Repeated openings", table(headings, rows)]


def _of_question(issues: LabelIssues, show_text: bool) -> list[str]:
    if issues.skipped:
        return [f"未检查 · Not checked: {escape(issues.skipped)}"]
    suspects: list[Sequence[Cell]] = [
        (found.given, found.suggested, f"{found.self_confidence:.3f}", *_place_and_text([found.entry], show_text))
        for found in issues.suspects
    ]
    left_out = escape(", ".join(issues.left_out)) or NONE
    return [
        f"折数 · folds: {issues.folds}; 分类器准确率 · accuracy of the classifier: {issues.accuracy:.1%}",
        f"因样本过少未检查的类别 · Classes too small to check: {left_out}",
        table([CLASS, "疑似标错 · suspected"], [*issues.classes.items(), ("合计 · all", issues.share)], cap=None),
        table(["所标 · given", "建议 · suggested", "自信度 · self-confidence", *_headings(show_text)], suspects),
    ]


def _kind(exact: bool) -> str:
    return "相同 · equal" if exact else "近似 · similar"


def _headings(show_text: bool) -> list[str]:
    return [PLACE, "文本 · text"] if show_text else [PLACE]


def _place_and_text(entries: Sequence[Entry], show_text: bool, *, alike: bool = True) -> list[str]:
    """Splits and ids of the texts and, where asked for, what they say; of texts that are `alike` the first."""
    place = listed(f"{entry.split}: {entry.example.id}" for entry in entries)
    shown = [_cut(mask(entry.example.text)) for entry in (entries[:1] if alike else entries)]
    return [place, " ⇄ ".join(shown)] if show_text else [place]


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…"
