"""The audit of labelled texts as a whole."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from training.audit.balance import Balance, balances
from training.audit.duplicates import Duplicates, find_duplicates
from training.audit.entry import entries_of
from training.audit.label_issues import Encode, LabelIssues, label_issues
from training.audit.overview import Overview, overview
from training.audit.problems import Problem, problems
from training.audit.schema import SchemaFault, schema_faults
from training.audit.spread import Spread, find_spread, sources_by_product
from training.data.example import Example, Split


@dataclass(frozen=True)
class AuditReport:
    """Everything that was found; `by_product` names the sources that were checked for products in several splits."""

    overview: Overview
    schema_faults: tuple[SchemaFault, ...]
    duplicates: Duplicates
    by_product: tuple[str, ...]
    spread: tuple[Spread, ...]
    balances: tuple[Balance, ...]
    label_issues: tuple[LabelIssues, ...]
    problems: list[Problem]

    @property
    def has_errors(self) -> bool:
        """Whether any problem is an error: leakage, broken schema, or equal texts labelled differently."""
        return any(problem.severity == "error" for problem in self.problems)


def audit(
    splits: Mapping[Split, Sequence[Example]],
    encode: Encode,
    *,
    seed: int = 0,
    by_product: Collection[str] | None = None,
) -> AuditReport:
    """Examine the labelled texts of all splits; a split may be empty or missing.

    `encode` gives the vectors, shape (texts, dimension), that labels are checked by; the encoder should not have been
    trained on these labels, else it repeats their mistakes. It gets no blank text and no lone surrogate. `seed` deals
    the texts into folds. `by_product` names the sources whose split holds out whole products; None tells them by the
    result, which a split that leaks at many products hides. Raises ValueError when `encode` does not give one vector
    for each text.
    """
    entries = entries_of(splits)
    overall, faults, duplicates = overview(entries), schema_faults(entries), find_duplicates(entries)
    sources = sources_by_product(entries) if by_product is None else tuple(sorted(by_product))
    spread, balance = find_spread(entries, sources), balances(entries)
    issues = label_issues(entries, duplicates.groups, encode, seed=seed)
    found = problems(overall, faults, duplicates, spread, balance, issues)
    return AuditReport(overall, faults, duplicates, sources, spread, balance, issues, found)
