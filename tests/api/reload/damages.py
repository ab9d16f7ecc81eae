"""Ways in which a promoted bundle cannot serve."""

from collections.abc import Callable
from pathlib import Path

from nlp_service.inference.head import TEST_ANSWERS_FILE, WEIGHTS_FILE
from nlp_service.inference.release import head_folder
from tests.releases import promote, replace_file, serving_head, turn_head

Damage = Callable[[Path, Path], None]


def _damage_weights(folder: Path, _: Path) -> None:
    with (folder / WEIGHTS_FILE).open("ab") as stream:
        stream.write(b"\0")


def _take_weights_that_are_none(folder: Path, _: Path) -> None:
    replace_file(folder, WEIGHTS_FILE, b"no tensors")


def _take_answers_of_the_first_version(folder: Path, bundles: Path) -> None:
    replace_file(folder, TEST_ANSWERS_FILE, (serving_head(bundles, "classify") / TEST_ANSWERS_FILE).read_bytes())


def _remove_description(folder: Path, _: Path) -> None:
    (folder / "bundle.json").unlink()


def promote_damaged(bundles: Path, damage: Damage) -> None:
    """Let another head for tickets serve, damaged in this way."""
    folder = bundles / head_folder("classify", damage.__name__)
    if not folder.exists():
        turn_head(bundles, "classify", damage.__name__)
        damage(folder, bundles)
    promote(bundles, "classify", folder)


DAMAGES: list[Damage] = [
    _damage_weights,
    _take_weights_that_are_none,
    _take_answers_of_the_first_version,
    _remove_description,
]
