"""What of the findings someone should look at, errors first."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from nlp_service.text.validation import MAX_CHARACTERS
from training.audit.balance import RARE, Balance
from training.audit.duplicates import Conflict, Duplicate, Duplicates
from training.audit.entry import Entry
from training.audit.label_issues import LabelIssues
from training.audit.overview import Overview
from training.audit.schema import FAULTS, Fault, SchemaFault
from training.audit.spread import Spread
from training.audit.tables import listed

Severity = Literal["error", "warning"]

FAULT_NAMES: dict[Fault, str] = {
    "blank": "空白文本",
    "too long": f"超过 {MAX_CHARACTERS:,} 字",
    "lone surrogate": "孤立的代理码位",
    "control character": "控制字符",
    "personal data": "个人信息",
    "duplicate id": "重复的编号",
}
EVEN = 0.1
"""Smallest class over the largest, below which a question is reported as imbalanced."""
REPEATED_OPENING = 0.05
"""Share of the texts that may begin alike."""


class Problem(NamedTuple):
    """An error makes results wrong; a warning should be looked at. Messages name texts by their ids only."""

    severity: Severity
    message: str


def problems(
    overview: Overview,
    faults: Sequence[SchemaFault],
    duplicates: Duplicates,
    spread: Sequence[Spread],
    balances: Sequence[Balance],
    issues: Sequence[LabelIssues],
) -> list[Problem]:
    """Leakage, broken schema and equal texts labelled differently are errors; everything else is a warning."""
    errors = [
        *_of_schema(faults),
        *_of_leaks(duplicates.duplicates),
        *_of_spread(spread),
        *_of_conflicts(duplicates.conflicts, exact=True),
    ]
    warnings = [
        *_of_texts(overview),
        *_of_repetition(duplicates.duplicates),
        *_of_conflicts(duplicates.conflicts, exact=False),
        *(message for balance in balances for message in _of_balance(balance)),
        *(message for issue in issues for message in _of_labels(issue)),
    ]
    return [Problem("error", message) for message in errors] + [Problem("warning", message) for message in warnings]


def _of_schema(faults: Sequence[SchemaFault]) -> Iterable[str]:
    for fault in FAULTS:
        entries = [found.entry for found in faults if found.fault == fault]
        if entries:
            yield f"{FAULT_NAMES[fault]} {len(entries)} 条 · {fault}: {len(entries)} ({_ids(entries)})"


def _of_leaks(duplicates: Sequence[Duplicate]) -> Iterable[str]:
    for exact, chinese, english in ((True, "相同", "equal"), (False, "近似", "similar")):
        leaks = [found for found in duplicates if found.exact == exact and found.leaks]
        if leaks:
            ids = _ids([entry for leak in leaks for entry in leak.entries])
            yield f"{chinese}的文本跨集合 {len(leaks)} 组 · {english} texts in different splits: {len(leaks)} ({ids})"


def _of_spread(spread: Sequence[Spread]) -> Iterable[str]:
    for kind, chinese in (("group", "分组"), ("product", "产品")):
        names = [f"{found.source}/{found.name}" for found in spread if found.kind == kind]
        if names:
            yield f"{len(names)} 个{chinese}跨集合 · {kind}s in several splits: {len(names)} ({listed(names)})"


def _of_conflicts(conflicts: Sequence[Conflict], *, exact: bool) -> Iterable[str]:
    chinese, english = ("相同", "equal") if exact else ("近似", "similar")
    for question, number in Counter(found.question for found in conflicts if found.exact == exact).items():
        part = [found for found in conflicts if found.exact == exact and found.question == question]
        ids = _ids([entry for found in part for entry in found.entries])
        yield f"{question}:{chinese}文本标签不同 {number} 组 · {english} texts labelled differently: {number} ({ids})"


def _of_texts(overview: Overview) -> Iterable[str]:
    for split, texts in overview.texts.items():
        if not texts:
            yield f"{split} 没有文本 · {split} has no texts"
    for opening in overview.openings:
        if opening.share.value > REPEATED_OPENING:
            yield f"{opening.share.part} 条文本开头相同 · texts that begin alike: {opening.share.value:.1%}"


def _of_repetition(duplicates: Sequence[Duplicate]) -> Iterable[str]:
    for exact, chinese, english in ((True, "相同", "equal"), (False, "近似", "similar")):
        number = sum(found.exact == exact and not found.leaks for found in duplicates)
        if number:
            yield f"集合内{chinese}的文本 {number} 组 · {english} texts within a split: {number}"


def _of_balance(balance: Balance) -> Iterable[str]:
    name = balance.question
    if len(balance.present) == 1:
        yield f"{name}:只有一个类别 · only one class: {balance.present[0]}"
        return
    if balance.ratio is None:
        yield f"{name}:训练集没有标注 · no labels in train"
    elif balance.ratio < EVEN:
        yield f"{name}:类别不均衡 · imbalanced classes, smallest over largest {balance.ratio:.3f}"
    if balance.rare:
        yield f"{name}:训练集不足 {RARE} 条的类别 · classes under {RARE} texts in train: {', '.join(balance.rare)}"
    for split, labels in balance.missing.items():
        if labels:
            yield f"{name}:{split} 缺少类别 · classes missing from {split}: {', '.join(labels)}"


def _of_labels(issues: LabelIssues) -> Iterable[str]:
    if issues.skipped:
        yield f"{issues.question}:未检查标签 · labels not checked: {issues.skipped}"
    elif issues.suspects:
        number, share = len(issues.suspects), issues.share.value
        yield f"{issues.question}:疑似标错 {number} 条 · probably wrong labels: {number} ({share:.1%})"
    if issues.left_out:
        yield f"{issues.question}:样本过少而未检查的类别 · classes too small to check: {', '.join(issues.left_out)}"


def _ids(entries: Sequence[Entry]) -> str:
    return listed([entry.example.id for entry in entries])
