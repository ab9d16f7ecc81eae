"""Examines labelled texts before a model is trained on them: schema, duplicates, leakage, balance, wrong labels."""

from training.audit.markdown import write_markdown
from training.audit.report import AuditReport, audit

__all__ = ["AuditReport", "audit", "write_markdown"]
