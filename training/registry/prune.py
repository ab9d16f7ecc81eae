"""Delete bundles that neither serve nor may have to again."""

import shutil
import time
from pathlib import Path

from pydantic import ValidationError

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, HeadBundle
from nlp_service.inference.locking import exclusive
from nlp_service.inference.release import ENCODERS, HEADS, encoder_folder, read_release
from training.registry.candidate import is_head

OLD_SECONDS = 24 * 3600
"""An unfinished folder that nothing was written into for so long is not being written any more."""


def prune(bundles: Path) -> list[str]:
    """Delete the bundles that the release does not need, and old unfinished ones; returns what was deleted.

    Needed are the folders that the release names, now or in its history, and the encoders that those heads read.
    Raises BundleError when that cannot be told; then nothing was deleted.
    """
    with exclusive(bundles):
        needed = _needed(bundles)
        found = [folder for kind in (ENCODERS, HEADS) for folder in sorted((bundles / kind).glob("*"))]
        folders = {
            folder.relative_to(bundles).as_posix(): folder
            for folder in (*found, *bundles.glob("*.partial"))
            if folder.is_dir()
        }
        unneeded = [
            name
            for name, folder in folders.items()
            if (_is_old(folder) if folder.suffix == ".partial" else name not in needed)
        ]
        for name in unneeded:
            _delete(folders[name])
        return unneeded


def _needed(bundles: Path) -> set[str]:
    named = read_release(bundles).named()
    encoders: set[str] = set()
    for folder in filter(is_head, named):
        file = bundles / folder / BUNDLE_FILE
        try:
            encoder = HeadBundle.model_validate_json(file.read_bytes()).encoder
        except FileNotFoundError:
            continue
        except ValidationError as error:
            raise BundleError(
                f"{file}: 已损坏,无法判断哪些编码器可删 · damaged: which encoder it needs is unknown"
            ) from error
        encoders.add(encoder_folder(encoder.name, encoder.fingerprint))
    return named | encoders


def _is_old(folder: Path) -> bool:
    written = max(file.stat().st_mtime for file in (folder, *folder.rglob("*")))
    return written < time.time() - OLD_SECONDS


def _delete(folder: Path) -> None:
    """Out of the way first, so that an interrupted deletion leaves no half bundle in its place."""
    doomed = folder.with_name(f"{folder.name.removesuffix('.partial')}.deleted.partial")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed)
