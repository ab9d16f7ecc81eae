"""The audit as a Markdown file that people read."""

from pathlib import Path

from training.audit.markdown_counts import balance_section, label_section, overview_section
from training.audit.markdown_texts import (
    conflict_section,
    duplicate_section,
    label_issue_section,
    opening_section,
    schema_section,
    spread_section,
)
from training.audit.report import AuditReport
from training.audit.tables import table


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
        *overview_section(report.overview),
        *label_section(report.balances),
        *schema_section(report.schema_faults, show_text=show_text),
        *duplicate_section(report.duplicates.duplicates, show_text=show_text),
        *spread_section(report.spread, report.by_product),
        *conflict_section(report.duplicates.conflicts, show_text=show_text),
        *balance_section(report.balances),
        *label_issue_section(report.label_issues, show_text=show_text),
        *opening_section(report.overview.openings, show_text=show_text),
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
