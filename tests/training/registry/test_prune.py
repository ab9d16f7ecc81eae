import os
import time
from pathlib import Path

import pytest

from nlp_service.errors import BundleError
from nlp_service.inference.release import read_release, write_release
from tests.training.registry.conftest import SHIPPED, write_encoder, write_head
from training.registry.prune import OLD_SECONDS, prune


@pytest.fixture
def bundles(var: Path) -> Path:
    return var / "bundles"


@pytest.fixture
def promoted(bundles: Path) -> Path:
    """A head on an encoder of its own, which was promoted."""
    encoder = write_encoder(bundles, "feedback", "new")
    head = write_head(bundles, "classify", "2026.02.02-aaaaaa", "new")
    write_release(bundles, read_release(bundles).changed("promote", "classify", {"classify": head}))
    return bundles / encoder


def folders(bundles: Path) -> set[str]:
    return {folder.relative_to(bundles).as_posix() for folder in bundles.glob("*/*")}


def unfinished(folder: Path, age: float) -> Path:
    """An unfinished folder that was written into `age` seconds ago."""
    folder.mkdir(parents=True)
    (folder / "encoder.bin").write_bytes(b"half")
    for path in (folder / "encoder.bin", folder):
        os.utime(path, (time.time() - age, time.time() - age))
    return folder


def test_what_serves_and_the_encoders_that_its_heads_read_stay(bundles: Path) -> None:
    before = folders(bundles)
    assert (prune(bundles), folders(bundles)) == ([], before)


def test_bundles_that_the_release_does_not_name_are_deleted(bundles: Path) -> None:
    before = folders(bundles)
    orphans = {write_encoder(bundles, "feedback", "old"), write_head(bundles, "classify", "2025.01.01-aaaaaa", "old")}
    assert (set(prune(bundles)), folders(bundles)) == (orphans, before)


def test_what_was_promoted_stays_with_its_encoder(bundles: Path, promoted: Path) -> None:
    prune(bundles)
    assert promoted.is_dir()


@pytest.mark.usefixtures("promoted")
def test_what_a_rollback_needs_stays(bundles: Path) -> None:
    before = folders(bundles)
    prune(bundles)
    assert folders(bundles) == before


def test_what_was_rolled_back_stays_with_its_encoder(bundles: Path, promoted: Path) -> None:
    write_release(bundles, read_release(bundles).rolled_back("classify"))
    prune(bundles)
    assert promoted.is_dir()


@pytest.mark.parametrize("name", ["encoders/x.partial", "heads/x.partial", "promotion.partial"])
def test_an_old_unfinished_folder_is_deleted(bundles: Path, name: str) -> None:
    unfinished(bundles / name, OLD_SECONDS + 60)
    assert prune(bundles) == [name]


def test_an_unfinished_folder_that_may_still_be_written_stays(bundles: Path) -> None:
    folder = unfinished(bundles / "encoders" / "x.partial", OLD_SECONDS - 60)
    prune(bundles)
    assert folder.is_dir()


def test_nothing_is_deleted_when_a_damaged_head_hides_which_encoder_it_needs(bundles: Path) -> None:
    orphan = write_encoder(bundles, "feedback", "old")
    (bundles / "heads" / f"classify-{SHIPPED}" / "bundle.json").write_text("{}", "utf-8")
    with pytest.raises(BundleError, match="which encoder it needs"):
        prune(bundles)
    assert (bundles / orphan).is_dir()


def test_nothing_is_deleted_without_a_release(bundles: Path) -> None:
    (bundles / "release.json").unlink()
    before = folders(bundles)
    with pytest.raises(BundleError):
        prune(bundles)
    assert folders(bundles) == before
