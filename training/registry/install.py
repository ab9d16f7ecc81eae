"""Bring the bundles of a registered candidate to their places."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_service.inference.bundle import BUNDLE_FILE, EncoderBundle, read_bundle
from training.registry.candidate import (
    BUNDLES,
    CANDIDATE_FILE,
    Candidate,
    read_candidate,
    verify_bundles,
)
from training.registry.comparison import COMPARISON_FILE, Comparison, read_comparison
from training.registry.errors import RegistryError
from training.registry.versions import Registered

if TYPE_CHECKING:
    from mlflow import MlflowClient

STAGING = "promotion.partial"


@contextmanager
def staging(bundles: Path) -> Iterator[Path]:
    """A folder beside the bundles, on the same file system; what is left in it is deleted."""
    folder = bundles / STAGING
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fetch_description(client: "MlflowClient", version: Registered, stage: Path) -> tuple[Candidate, Comparison]:
    """What a registered candidate is, and how it compared."""
    for name in (CANDIDATE_FILE, COMPARISON_FILE):
        _fetch(client, version, name, stage)
    return read_candidate(stage), read_comparison(stage / COMPARISON_FILE)


def install(client: "MlflowClient", version: Registered, candidate: Candidate, stage: Path, bundles: Path) -> None:
    """Fetch the bundles, verify every checksum, and move them to their places under `bundles`.

    A bundle that is there already stays. Raises BundleError for a damaged one and RegistryError for one that is there
    with other contents; then nothing was moved.
    """
    places: dict[str, Path] = {}
    for folder in candidate.folders:
        source, installed = f"{BUNDLES}/{folder}", bundles / folder
        if installed.exists():
            _check_same(_fetch(client, version, f"{source}/{BUNDLE_FILE}", stage / folder), installed)
            places[folder] = installed
        else:
            places[folder] = _fetch(client, version, source, (stage / folder).parent)
    needed = verify_bundles(candidate, lambda folder: places[folder])
    for encoder in needed.difference(places):
        read_bundle(bundles / encoder, EncoderBundle)
    for folder, place in places.items():
        if place != bundles / folder:
            _move(place, bundles / folder)


def _fetch(client: "MlflowClient", version: Registered, artifact: str, target: Path) -> Path:
    """Copy a file or folder of the version's run into the folder `target`; returns where it lies."""
    target.mkdir(parents=True, exist_ok=True)
    return Path(client.download_artifacts(version.run_id, artifact, str(target)))


def _check_same(description: Path, installed: Path) -> None:
    fetched, present = (json.loads(file.read_bytes()) for file in (description, installed / BUNDLE_FILE))
    if fetched != present:
        raise RegistryError(
            f"{installed}: 已有同名但内容不同的模型包 · there is a bundle of this name with other contents already; "
            "bundles never change, so the candidate needs another version"
        )


def _move(source: Path, target: Path) -> None:
    source.chmod(0o755)
    for file in source.iterdir():
        file.chmod(0o644)  # the service may run as another user
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
