"""Which bundles serve: ``release.json`` in the bundles folder.

Bundles are never changed once written: a new version is a new folder (``encoders/<name>-<weights>``,
``heads/<task>-<version>``). What serves is said by one small file, which is replaced in one step; so a promotion or a
rollback happens wholly or not at all, and processes that watch the file agree within a second.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nlp_service.errors import BundleError

RELEASE_FILE = "release.json"
ENCODERS, HEADS = "encoders", "heads"
SEARCH, RERANKER = "search", "reranker"
PARTIAL = ".partial"
KEPT_CHANGES = 20
"""Older changes are forgotten, and their bundles may be deleted."""

Parts = dict[str, str]
"""From a task, `search` or `reranker` to the folder of its head or encoder, relative to the bundles folder."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Change(_Strict):
    """One step of the history."""

    at: datetime
    action: Literal["ship", "promote", "rollback"]
    target: str
    """What was asked for: a task, or an encoder with all its heads."""
    before: Parts
    """What the parts were that this change touched; a part that did not exist is missing."""
    after: Parts
    """What they are since; a reranker that was taken back is missing."""
    source: str = ""
    """Where the bundles came from, such as a version in a registry."""


class Release(_Strict):
    """What serves, what the project ships, and how it came to this."""

    serving: Parts
    shipped: Parts = Field(default_factory=dict)
    """What `nlp-service models build` installed last; replaced by its next version unless something was promoted."""
    history: tuple[Change, ...] = ()

    def changed(
        self, action: Literal["ship", "promote", "rollback"], target: str, parts: Mapping[str, str], source: str = ""
    ) -> "Release":
        """The release with `parts` serving, and the step recorded; itself when they serve already."""
        after = {part: folder for part, folder in parts.items() if self.serving.get(part) != folder}
        if not after:
            return self
        before = {part: self.serving[part] for part in after if part in self.serving}
        step = Change(
            at=datetime.now(UTC), action=action, target=target, before=before, after=dict(after), source=source
        )
        return self.model_copy(
            update={"serving": {**self.serving, **after}, "history": (*self.history, step)[-KEPT_CHANGES:]}
        )

    def ship(self, parts: Mapping[str, str]) -> "Release":
        """The release after a build made `parts`: they serve where nothing else was promoted."""
        shipped = {*self.shipped.values()}
        for step in self.history:
            if step.action == "ship":
                shipped.update(step.after.values())
        free = {part: folder for part, folder in parts.items() if self.serving.get(part) in {None, *shipped}}
        return self.changed("ship", "build", free).model_copy(update={"shipped": dict(parts)})

    def rolled_back(self, target: str) -> "Release":
        """The release before the last promotion of `target` that was not undone yet; raises BundleError without one.

        A part that was changed again since, such as by a promotion of one task alone, stays as it is.
        """
        undone = 0
        for step in reversed(self.history):
            if step.target != target:
                continue
            if step.action == "rollback":
                undone += 1
            elif step.action == "promote" and undone:
                undone -= 1
            elif step.action == "promote":
                unchanged = {
                    part: folder for part, folder in step.before.items() if self.serving.get(part) == step.after[part]
                }
                if step.before and not unchanged:
                    raise BundleError(
                        f"{target}: 已被之后的发布替换,请先撤回它 · replaced by a later promotion, roll that back first"
                    )
                if target == RERANKER and not step.before:
                    return self._without_reranker(step)
                return self.changed("rollback", target, unchanged, step.source)
        raise BundleError(f"{target}: 没有可撤回的发布 · there is no promotion to roll back")

    def _without_reranker(self, promotion: Change) -> "Release":
        """The release before the first reranker, which is the one part that nothing need serve for."""
        serving = {part: folder for part, folder in self.serving.items() if part != RERANKER}
        step = promotion.model_copy(
            update={"at": datetime.now(UTC), "action": "rollback", "before": promotion.after, "after": {}}
        )
        return self.model_copy(update={"serving": serving, "history": (*self.history, step)[-KEPT_CHANGES:]})

    def named(self) -> set[str]:
        """Every folder of a head or the search encoder that is needed to serve, or to roll back a promotion."""
        folders = {*self.serving.values(), *self.shipped.values()}
        for step in self.history:
            if step.action != "ship":
                folders.update(step.before.values(), step.after.values())
        return folders


def read_release(bundles: Path) -> Release:
    """Raises BundleError when the file is missing or broken."""
    file = bundles / RELEASE_FILE
    try:
        return Release.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"{bundles}: 没有模型包,请先运行 · no bundles here, run: nlp-service models build") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def write_release(bundles: Path, release: Release) -> None:
    """Replace the file in one step."""
    partial = bundles / f".{RELEASE_FILE}.{os.getpid()}"
    with partial.open("w", encoding="utf-8") as stream:
        stream.write(release.model_dump_json(indent=1) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(bundles / RELEASE_FILE)


def encoder_folder(name: str, fingerprint: str) -> str:
    """Where the bundle of an encoder lies, relative to the bundles folder."""
    return f"{ENCODERS}/{name}-{fingerprint[:12]}"


def head_folder(task: str, version: str) -> str:
    """Where the bundle of a head lies, relative to the bundles folder."""
    return f"{HEADS}/{task}-{version}"
