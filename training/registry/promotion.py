"""Let a registered candidate serve, and take it back.

What serves is said by ``release.json``, which is replaced in one step; the alias `champion` in MLflow only follows it.
When a promotion stops between the two, the next promotion, rollback, `reconcile` or `status` sets the alias.
"""

from dataclasses import dataclass
from pathlib import Path

from nlp_service.inference.locking import exclusive
from nlp_service.inference.release import Change, Parts, Release, read_release, write_release
from nlp_service.inference.rollback import roll_back
from training.registry.candidate import check_compared
from training.registry.errors import GateRefused, RegistryError
from training.registry.gate import GateConfig, Refusal, decide
from training.registry.install import fetch_description, install, staging
from training.registry.tracking import has_store, open_client
from training.registry.versions import CANDIDATE, CHAMPION, align, find_version, record_decision, targets


@dataclass(frozen=True)
class Promotion:
    """What a promotion did."""

    target: str
    version: str
    """Of the candidate."""
    number: str
    """Of the registered model."""
    previous: str
    """Number of the version that was the champion; empty for what the project ships."""
    before: Parts
    after: Parts
    """What serves in the places of `before`; empty when the candidate served already."""
    overridden: tuple[Refusal, ...] = ()
    """What the gate said against it."""

    def __str__(self) -> str:
        if not self.after:
            return f"{self.target} {self.version} ({self.number}): 已在服务 · serves already"
        moved = ", ".join(f"{part}: {self.before.get(part, '–')} → {folder}" for part, folder in self.after.items())
        against = "".join(f"\n! {refusal}" for refusal in self.overridden)
        return f"{self.target} {self.version} ({self.number}): {moved}{against}"


def promote(
    target: str,
    var_dir: Path,
    *,
    version: str | None = None,
    gate: GateConfig,
    accept_new_labels: bool = False,
    force_reason: str | None = None,
) -> Promotion:
    """Let the candidate of `target`, or one `version` of it (number or candidate's version), serve.

    Raises GateRefused when the gate refuses it; with a `force_reason` it serves all the same, and that is recorded.
    Raises RegistryError or BundleError when it cannot serve. After an error everything serves as before, unless it says
    that only the aliases are missing. A candidate that serves already changes nothing.
    """
    reason = (force_reason or "").strip()
    if force_reason is not None and not reason:
        raise RegistryError("强制发布须写明理由 · a forced promotion needs a reason")
    bundles = var_dir / "bundles"
    with exclusive(bundles):
        with open_client(var_dir) as client, staging(bundles) as stage:
            release = read_release(bundles)
            align(client, release)
            aliases = targets(client).get(target, {})
            previous = aliases.get(CHAMPION, "")
            chosen = find_version(client, target, version or aliases.get(CANDIDATE))
            candidate, comparison = fetch_description(client, chosen, stage)
            promoted = release.changed("promote", target, candidate.parts, chosen.source)
            if promoted is release:
                return Promotion(target, chosen.version, chosen.number, previous, {}, {})
            check_compared(candidate, comparison)
            refusals = decide(comparison, gate, release.serving, accept_new_labels)
            if refusals and not reason:
                raise GateRefused([refusal.sentence for refusal in refusals])
            install(client, chosen, candidate, stage, bundles)
            record_decision(client, chosen, refusals, reason, previous)
            write_release(bundles, promoted)
        _follow(var_dir, promoted)
    step = promoted.history[-1]
    return Promotion(target, chosen.version, chosen.number, previous, step.before, step.after, tuple(refusals))


def rollback(target: str, var_dir: Path) -> Change:
    """Let serve what served before the last promotion of `target` that was not undone; returns the step.

    Needs no MLflow: a registry that does not answer cannot keep a bad model serving; its alias follows with the next
    command. Raises BundleError when there is nothing to roll back, or what served is damaged.
    """
    bundles = var_dir / "bundles"
    step = roll_back(bundles, target)
    with exclusive(bundles):
        _follow(var_dir, read_release(bundles))
    return step


def reconcile(var_dir: Path) -> None:
    """Set the aliases by what ``release.json`` says; raises BundleError without one."""
    bundles = var_dir / "bundles"
    with exclusive(bundles):
        release = read_release(bundles)
        if has_store(var_dir):
            with open_client(var_dir) as client:
                align(client, release)


def _follow(var_dir: Path, release: Release) -> None:
    if not has_store(var_dir):
        return
    try:
        with open_client(var_dir) as client:
            align(client, release)
    except RegistryError as error:
        raise RegistryError(
            f"已生效,但 MLflow 的别名尚未更新,下一次命令会补上 · done, but the aliases in MLflow do not say so yet; "
            f"the next command sets them: {error}"
        ) from error
