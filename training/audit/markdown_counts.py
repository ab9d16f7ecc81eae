"""The sections of the report that count."""

from collections.abc import Mapping, Sequence

from training.audit.balance import RARE, Balance
from training.audit.entry import QUESTIONS, Counts
from training.audit.overview import Overview
from training.audit.tables import NONE, Cell, escape, table
from training.data.split import SPLITS

TASK, CLASS = "任务 · task", "类别 · class"


def overview_section(overview: Overview) -> list[str]:
    """Texts and their lengths by split; sources, languages and channels."""
    rows: list[Sequence[Cell]] = [
        (split, overview.texts[split], found.minimum, found.median, found.p90, found.maximum, overview.hard[split])
        for split, found in overview.lengths.items()
    ]
    headings = ["集合 · split", "文本数 · texts", "最短 · min", "中位 · median", "p90", "最长 · max", "难例 · hard"]
    return [
        "## 1 数据概况 · What there is",
        "长度以字符计 · Lengths are in characters.",
        table(headings, rows),
        _counted("来源 · source", overview.sources),
        _counted("语言 · language", overview.languages),
        _counted("渠道 · channel", overview.channels),
    ]


def label_section(balances: Sequence[Balance]) -> list[str]:
    """How many texts of each class, and what nobody labelled."""
    answered = {balance.question for balance in balances}
    unlabelled = [question.name for question in QUESTIONS if question.name not in answered]
    rows: list[Sequence[Cell]] = [
        (balance.question, label, *counts_of(texts)) for balance in balances for label, texts in balance.classes.items()
    ]
    return [
        "### 各任务的标签 · Labels by task",
        table([TASK, CLASS, *SPLITS], rows, cap=None),
        f"没有标注的任务 · Tasks that no text is labelled for: {escape(', '.join(unlabelled)) or NONE}",
    ]


def balance_section(balances: Sequence[Balance]) -> list[str]:
    """How even the classes are, which are rare and which are missing."""
    rows: list[Sequence[Cell]] = [
        (
            balance.question,
            "–" if balance.ratio is None else f"{balance.ratio:.3f}",
            ", ".join(balance.rare),
            "; ".join(f"{split}: {', '.join(labels)}" for split, labels in balance.missing.items() if labels),
        )
        for balance in balances
    ]
    rare = f"训练集少于 {RARE} 条 · under {RARE} in train"
    return [
        "## 4 类别均衡 · Class balance",
        "比例按训练集计,方面不计 absent · The ratio is of the training texts, for aspects without absent.",
        table([TASK, "最小/最大 · smallest/largest", rare, "缺少 · missing"], rows),
    ]


def counts_of(texts: Counts) -> list[int]:
    """One cell for each split."""
    return [texts[split] for split in SPLITS]


def _counted(heading: str, values: Mapping[str, Counts]) -> str:
    if not values:
        return f"{heading}: {NONE}"
    return table([heading, *SPLITS], [(value, *counts_of(texts)) for value, texts in values.items()])
