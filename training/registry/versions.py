"""Versions of registered models, and the aliases that say which of them serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from nlp_service.inference.release import Parts, Release
from training.registry.errors import RegistryError
from training.registry.gate import Refusal
from training.registry.tracking import model_name, target_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

CANDIDATE, CHAMPION = "candidate", "champion"
VERSION_TAG, PARTS_TAG, DIGEST_TAG = "version", "parts", "bundles"
FIGURE_TAG = "figure."
"""Before the name of a part: the main figure of the candidate."""
GATE_TAG, FORCE_TAG, PREVIOUS_TAG, PROMOTED_TAG = "gate", "force_reason", "previous_version", "promoted_at"
PASSED = "passed"
_PARTS = TypeAdapter(Parts)


@dataclass(frozen=True)
class Registered:
    """A version of a registered model, as `training.registry.register` made it."""

    target: str
    number: str
    """Of the registered model: 1, 2, …"""
    version: str
    """Of the candidate."""
    run_id: str
    parts: Parts
    tags: Mapping[str, str]

    @property
    def source(self) -> str:
        """How a release names it."""
        return f"mlflow:{model_name(self.target)}/{self.number}"


def versions_of(client: "MlflowClient", target: str) -> list[Registered]:
    """Every version of a target, oldest first; versions that something else registered are left out."""
    found = client.search_model_versions(f"name = '{model_name(target)}'")
    return sorted(
        (
            Registered(
                target,
                str(version.version),
                version.tags[VERSION_TAG],
                str(version.run_id),
                _PARTS.validate_json(version.tags[PARTS_TAG]),
                dict(version.tags),
            )
            for version in found
            if version.tags.keys() >= {VERSION_TAG, PARTS_TAG}
        ),
        key=lambda version: int(version.number),
    )


def targets(client: "MlflowClient") -> dict[str, dict[str, str]]:
    """Aliases of each registered target: alias to number."""
    return {
        target: {alias: str(number) for alias, number in model.aliases.items()}
        for model in client.search_registered_models(f"name LIKE '{model_name('%')}'")
        if (target := target_of(model.name)) is not None
    }


def find_version(client: "MlflowClient", target: str, asked: str | None) -> Registered:
    """The version of this number, or of this candidate's version; raises RegistryError when there is none."""
    for version in versions_of(client, target):
        if asked in {version.number, version.version}:
            return version
    raise RegistryError(
        f"{target}: 没有登记的候选或版本 · no such candidate or version is registered: {asked or CANDIDATE}"
    )


def align(client: "MlflowClient", release: Release) -> None:
    """Give the alias `champion` to the versions that serve, and take it from those that do not.

    A version serves as long as any of its parts does. Of several, that of the most parts has the alias.
    """
    for target, aliases in targets(client).items():
        champion = _serving(versions_of(client, target), release)
        if champion is None:
            if CHAMPION in aliases:
                client.delete_registered_model_alias(model_name(target), CHAMPION)
            continue
        for step in reversed(release.history):
            if step.action == "promote" and step.source == champion.source:
                _tag(client, champion, PROMOTED_TAG, step.at.isoformat(timespec="seconds"))
                break
        if aliases.get(CHAMPION) != champion.number:
            client.set_registered_model_alias(model_name(target), CHAMPION, champion.number)


def _serving(versions: list[Registered], release: Release) -> Registered | None:
    served = {
        version.number: sum(release.serving.get(part) == folder for part, folder in version.parts.items())
        for version in versions
    }
    serving = [version for version in versions if served[version.number]]
    return max(serving, key=lambda version: (served[version.number], int(version.number)), default=None)


def record_decision(
    client: "MlflowClient", version: Registered, refusals: Sequence[Refusal], force_reason: str, previous: str
) -> None:
    """Note on a version what the gate said of it, why it is promoted anyhow, and which number it replaces."""
    said = "\n".join(refusal.sentence for refusal in refusals) or PASSED
    for key, value in ((GATE_TAG, said), (FORCE_TAG, force_reason), (PREVIOUS_TAG, previous)):
        _tag(client, version, key, value)


def _tag(client: "MlflowClient", version: Registered, key: str, value: str) -> None:
    if value and version.tags.get(key) != value:
        client.set_model_version_tag(model_name(version.target), version.number, key, value)
    elif not value and version.tags.get(key):
        client.delete_model_version_tag(model_name(version.target), version.number, key)
