"""Build every runtime bundle that is missing or out of date.

A bundle is written beside its place and renamed when it is complete and verified; what is already there and was made
from the same inputs stays. So an interrupted build continues.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, EncoderBundle, HeadBundle, read_bundle, sha256
from nlp_service.inference.locking import exclusive
from nlp_service.inference.release import (
    ENCODERS,
    HEADS,
    PARTIAL,
    RELEASE_FILE,
    SEARCH,
    Parts,
    Release,
    encoder_folder,
    head_folder,
    read_release,
    write_release,
)
from training.build.head_bundle import write_head_bundle
from training.build.texts import read_texts, texts_file
from training.console import console
from training.registry.prune import prune

INPUTS_FILE = ".inputs"
RECIPE = "6"
"""Raise it when the build changes what it writes, so that older bundles are built again."""


def build_bundles(models_dir: Path, data_dir: Path, var_dir: Path) -> None:
    """Build what the project ships and let it serve where nothing else was promoted (see `Release.ship`).

    Raises BaseError when the base cannot be had, BundleError when a quantised encoder strays from the full-precision
    one (cosine under 0.99 on any of the fixed texts).
    """
    bundles = var_dir / "bundles"
    bundles.mkdir(parents=True, exist_ok=True)
    with exclusive(bundles):
        parts = Builder(models_dir, data_dir, var_dir, bundles).build(models_dir)
        write_release(bundles, _release(bundles).ship(parts))
    prune(bundles)


def _release(bundles: Path) -> Release:
    return read_release(bundles) if (bundles / RELEASE_FILE).is_file() else Release(serving={})


class Builder:
    """Builds bundles under `bundles`; the base and the fixed texts are the project's."""

    def __init__(self, models_dir: Path, data_dir: Path, var_dir: Path, bundles: Path) -> None:
        self._models_dir = models_dir
        self._data_dir = data_dir
        self._var_dir = var_dir
        self._bundles = bundles

    def build(self, trained: Path, *, with_search: bool = True) -> Parts:
        """Bundles of all ``encoders/*`` and ``heads/*`` in `trained`; what serves when they are released.

        Without a trained `search` encoder the base itself becomes it, if `with_search`.
        """
        sources: dict[str, Path | None] = {
            file.parent.name: file.parent for file in sorted((trained / ENCODERS).glob("*/encoder.json"))
        }
        if with_search:
            sources.setdefault(SEARCH, None)
        encoders = {name: self._encoder(name, source) for name, source in sources.items()}
        parts: Parts = {SEARCH: encoders[SEARCH]} if SEARCH in encoders else {}
        for file in sorted((trained / HEADS).glob("*/head.json")):
            parts[file.parent.name] = self._head(file.parent)
        return parts

    def _encoder(self, name: str, source: Path | None) -> str:
        def write(target: Path) -> None:
            # Imports torch; a build that finds everything current never comes here.
            from training.build.encoder_bundle import write_encoder_bundle

            write_encoder_bundle(name, source, self._models_dir, self._data_dir, self._var_dir, target)

        def place(built: Path) -> str:
            return encoder_folder(name, read_bundle(built, EncoderBundle).fingerprint)

        return _build(self._bundles, ENCODERS, name, self._inputs_of(source), write, place)

    def _head(self, source: Path) -> str:
        def write(target: Path) -> None:
            write_head_bundle(source, self._encoder_of(source), target, read_texts(self._data_dir, "comparison"))

        def place(built: Path) -> str:
            return head_folder(source.name, read_bundle(built, HeadBundle).version)

        return _build(self._bundles, HEADS, source.name, _digest(source), write, place)

    def _encoder_of(self, head: Path) -> Path:
        reference = json.loads((head / "head.json").read_text("utf-8"))["encoder"]
        folder = encoder_folder(reference["name"], reference["fingerprint"])
        for bundles in (self._bundles, self._var_dir / "bundles"):
            if (bundles / folder / BUNDLE_FILE).is_file():
                return bundles / folder
        raise BundleError(f"{head}: 缺少它的编码器 · its encoder is not built: {folder}")

    def _inputs_of(self, source: Path | None) -> str:
        parts = [
            RECIPE,
            sha256(self._models_dir / "base.toml"),
            *(sha256(texts_file(self._data_dir, name)) for name in ("calibration", "comparison")),
        ]
        if source is not None:
            parts.append(_digest(source))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _build(
    bundles: Path, kind: str, name: str, inputs: str, write: Callable[[Path], None], place: Callable[[Path], str]
) -> str:
    """The folder, relative to `bundles`, of a bundle made from `inputs`; made now unless it is there."""
    for marker in sorted((bundles / kind).glob(f"{name}-*/{INPUTS_FILE}")):
        if marker.read_text("ascii") == inputs and marker.parent.suffix != PARTIAL:
            return f"{kind}/{marker.parent.name}"
    unfinished = bundles / kind / f"{name}{PARTIAL}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write(unfinished)
    (unfinished / INPUTS_FILE).write_text(inputs, "ascii")
    for file in unfinished.iterdir():
        file.chmod(0o644)  # the service may run as another user; safetensors writes files for the owner alone
    folder = place(unfinished)
    shutil.rmtree(bundles / folder, ignore_errors=True)
    unfinished.rename(bundles / folder)
    console.print(f"[green]✓[/green] {bundles / folder}")
    return folder


def _digest(folder: Path) -> str:
    lines = [RECIPE, *(f"{file.name} {sha256(file)}" for file in sorted(folder.iterdir()) if file.is_file())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
