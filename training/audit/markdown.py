"""The audit as a Markdown file that people read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nlp_service.text.personal_data import mask
from training.audit.entry import QUESTIONS, Counts, Entry
from training.audit.label_issues import LabelIssues
from training.audit.problems import FAULT_NAMES
from training.audit.report import AuditReport
from training.audit.schema import FAULTS
from training.audit.tables import NONE, Cell, escape, table
from training.data.split import SPLITS

TEXT_CHARACTERS = 80
SPLIT, ID, TEXT, TEXTS = "集合 · split", "编号 · id", "文本 · text", "文本数 · texts"
TASK, CLASS, LABEL = "任务 · task", "类别 · class", "标签 · label"


def write_markdown(report: AuditReport, file: Path, *, show_text: bool = True) -> None:
    """Write the report; a reader of `file` sees the old content or the new, never a part.

    Texts are cut to 80 characters and personal data in them is masked. Without `show_text` nothing of the texts stands
    in the file, only their ids. Raises OSError when the folder is missing or not writable.
    """
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(render(report, show_text=show_text), encoding="utf-8")
    partial.replace(file)


def render(report: AuditReport, *, show_text: bool = True) -> str:
    """The content of the file."""
    blocks = [
        *_summary(report),
        *_overview(report),
        *_labels(report),
        *_schema(report, show_text),
        *_duplicates(report, show_text),
        *_spread(report),
        *_conflicts(report, show_text),
        *_balance(report),
        *_label_issues(report, show_text),
        *_openings(report, show_text),
    ]
    return "\n\n".join(blocks) + "\n"


def _summary(report: AuditReport) -> list[str]:
    errors = sum(problem.severity == "error" for problem in report.problems)
    warnings = len(report.problems) - errors
    return [
        "# 数据审计 · Data audit",
        f"{errors} 个错误,{warnings} 个警告 · errors: {errors}, warnings: {warnings}",
        table(["级别 · severity", "问题 · problem"], report.problems, cap=None),
    ]


def _overview(report: AuditReport) -> list[str]:
    overview = report.overview
    rows: list[Sequence[Cell]] = [
        (split, overview.texts[split], found.minimum, found.median, found.p90, found.maximum, overview.hard[split])
        for split, found in overview.lengths.items()
    ]
    return [
        "## 1 数据概况 · What there is",
        "长度以字符计 · Lengths are in characters.",
        table([SPLIT, TEXTS, "最短 · min", "中位 · median", "p90", "最长 · max", "难例 · hard"], rows),
        _counts("来源 · source", overview.sources),
        _counts("语言 · language", overview.languages),
        _counts("渠道 · channel", overview.channels),
    ]


def _labels(report: AuditReport) -> list[str]:
    answered = {balance.question for balance in report.balances}
    unlabelled = [question.name for question in QUESTIONS if question.name not in answered]
    rows = [
        (found.question, label, *_numbers(texts)) for found in report.balances for label, texts in found.classes.items()
    ]
    return [
        "### 各任务的标签 · Labels by task",
        table([TASK, CLASS, *SPLITS], rows, cap=None),
        f"没有标注的任务 · Labelled for by no text: {escape(', '.join(unlabelled)) or NONE}",
    ]


def _schema(report: AuditReport, show_text: bool) -> list[str]:
    rows = [
        (f"{FAULT_NAMES[found.fault]} · {found.fault}", *_place(found.entry), *_text(found.entry, show_text))
        for found in report.schema_faults
    ]
    counts = [
        (f"{FAULT_NAMES[fault]} · {fault}", sum(found.fault == fault for found in report.schema_faults))
        for fault in FAULTS
    ]
    return [
        "## 2 格式问题 · Schema problems",
        table(["问题 · problem", TEXTS], counts),
        table(["问题 · problem", SPLIT, ID, *_heading(show_text)], rows),
    ]


def _duplicates(report: AuditReport, show_text: bool) -> list[str]:
    found = sorted(report.duplicates.duplicates, key=lambda duplicate: (not duplicate.leaks, -duplicate.similarity))
    headings = ["跨集合 · across splits", "相似度 · similarity", "位置 · where", *_heading(show_text)]
    rows: list[Sequence[Cell]] = [
        (
            "是 · yes" if duplicate.leaks else "否 · no",
            duplicate.similarity,
            _places(duplicate.entries),
            *_text(duplicate.entries[0], show_text),
        )
        for duplicate in found
    ]
    return [
        "## 3 重复与泄漏 · Duplicates and leakage",
        "### 相同与近似的文本 · Equal and similar texts",
        "1 = 忽略全半角、大小写、空白后相同;其余为 Jaccard 系数 · 1 = equal but for width, case and spaces; else Jaccard",
        table(headings, rows),
    ]


def _spread(report: AuditReport) -> list[str]:
    rows = [(found.kind, found.source, found.name, *_numbers(found.texts)) for found in report.spread]
    return [
        "### 跨集合的分组与产品 · Groups and products in several splits",
        f"按产品划分的来源 · Sources split by product: {escape(', '.join(report.by_product)) or NONE}",
        table(["种类 · kind", "来源 · source", "名称 · name", *SPLITS], rows),
    ]


def _conflicts(report: AuditReport, show_text: bool) -> list[str]:
    conflicts = sorted(report.duplicates.conflicts, key=lambda conflict: not conflict.exact)
    rows = [
        (
            found.question,
            "相同 · equal" if found.exact else "近似 · similar",
            _places(found.entries),
            " / ".join(found.labels),
            *_text(found.entries[0], show_text),
        )
        for found in conflicts
    ]
    headings = [TASK, "种类 · kind", "位置 · where", LABEL, *_heading(show_text)]
    return ["### 标签冲突 · Conflicting labels", table(headings, rows)]


def _balance(report: AuditReport) -> list[str]:
    rows = [
        (
            found.question,
            "–" if found.ratio is None else found.ratio,
            ", ".join(found.rare),
            "; ".join(f"{split}: {', '.join(labels)}" for split, labels in found.missing.items() if labels),
        )
        for found in report.balances
    ]
    headings = [TASK, "最小/最大 · smallest/largest", "训练集少于 20 条 · under 20 in train", "缺少 · missing"]
    return [
        "## 4 类别均衡 · Class balance",
        "比例按训练集计,方面不计 absent · The ratio is of the training texts, for aspects without absent.",
        table(headings, rows),
    ]


def _label_issues(report: AuditReport, show_text: bool) -> list[str]:
    blocks = ["## 5 疑似标错 · Probably wrong labels"]
    for issues in report.label_issues:
        blocks += [f"### {escape(issues.question)}", *_of_question(issues, show_text)]
    return blocks if report.label_issues else [*blocks, NONE]


def _of_question(issues: LabelIssues, show_text: bool) -> list[str]:
    if issues.skipped:
        return [f"未检查 · Not checked: {escape(issues.skipped)}"]
    suspects = [
        (suspect.given, suspect.suggested, round(suspect.self_confidence, 3), *_place(suspect.entry),
         *_text(suspect.entry, show_text))
        for suspect in issues.suspects
    ]  # fmt: skip
    headings = ["所标 · given", "建议 · suggested", "置信度 · self-confidence", SPLIT, ID, *_heading(show_text)]
    left_out = escape(", ".join(issues.left_out)) or NONE
    return [
        f"{issues.folds} 折交叉验证 · {issues.folds} folds; 未检查的类别 · classes left out: {left_out}",
        table([CLASS, "疑似标错 · suspected"], [*issues.classes.items(), ("合计 · all", issues.share)], cap=None),
        table(headings, suspects),
    ]


def _openings(report: AuditReport, show_text: bool) -> list[str]:
    openings = report.overview.openings
    rows = [((opening.characters, opening.share) if show_text else (opening.share,)) for opening in openings]
    headings = ["开头 · opening", "占比 · share"] if show_text else ["占比 · share"]
    return ["## 6 重复的开头 · Repeated openings", table(headings, rows)]


def _counts(heading: str, values: Mapping[str, Counts]) -> str:
    return table([heading, *SPLITS], [(value, *_numbers(texts)) for value, texts in values.items()])


def _numbers(texts: Counts) -> list[int]:
    return [texts[split] for split in SPLITS]


def _place(entry: Entry) -> tuple[Cell, ...]:
    return entry.split, entry.example.id


def _places(entries: Sequence[Entry]) -> str:
    return ", ".join(f"{entry.split}: {entry.example.id}" for entry in entries)


def _heading(show_text: bool) -> list[str]:
    return [TEXT] if show_text else []


def _text(entry: Entry, show_text: bool) -> list[str]:
    """The text as a cell of a table, or no cell."""
    if not show_text:
        return []
    text = mask(entry.example.text)
    return [text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…"]
