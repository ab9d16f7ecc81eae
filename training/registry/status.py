"""What is registered, for a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.registry.promotion import reconcile
from training.registry.tracking import has_store, open_client
from training.registry.versions import (
    CANDIDATE,
    CHAMPION,
    FIGURE_TAG,
    FORCE_TAG,
    PROMOTED_TAG,
    Registered,
    targets,
    versions_of,
)


@dataclass(frozen=True)
class VersionStatus:
    """A registered version and its main figures."""

    number: str
    version: str
    figures: Mapping[str, float]
    """By part of the release: F1 of the candidate when it was evaluated."""
    promoted_at: str
    """ISO 8601; empty for one that never served."""
    force_reason: str
    """Why it was promoted against the gate; empty when it was not."""

    def __str__(self) -> str:
        figures = ", ".join(f"{part} {figure:.4f}" for part, figure in self.figures.items())
        return f"{self.version} ({self.number}): {figures}"


@dataclass(frozen=True)
class TargetStatus:
    """What serves for a target, and what waits for promotion."""

    target: str
    champion: VersionStatus | None
    """None while what the project ships serves."""
    candidate: VersionStatus | None


def status(var_dir: Path) -> list[TargetStatus]:
    """Every target of which something was registered, by name; raises BundleError without a release."""
    if not has_store(var_dir):
        return []
    reconcile(var_dir)
    with open_client(var_dir) as client:
        result = []
        for target, aliases in sorted(targets(client).items()):
            versions = {version.number: _status(version) for version in versions_of(client, target)}
            champion, candidate = (versions.get(aliases.get(alias, "")) for alias in (CHAMPION, CANDIDATE))
            result.append(TargetStatus(target, champion, candidate))
        return result


def _status(version: Registered) -> VersionStatus:
    figures = {
        key.removeprefix(FIGURE_TAG): float(value) for key, value in version.tags.items() if key.startswith(FIGURE_TAG)
    }
    promoted_at, force_reason = version.tags.get(PROMOTED_TAG, ""), version.tags.get(FORCE_TAG, "")
    return VersionStatus(version.number, version.version, figures, promoted_at, force_reason)
