"""Which models answer, as all machines of a run must have them."""

from pathlib import Path

from nlp_service.inference.bundle import BUNDLE_FILE, HeadBundle, Task, read_bundle, sha256
from nlp_service.inference.release import encoder_folder, read_release

TASKS: tuple[Task, ...] = ("sentiment", "classify")


def models_of(bundles: Path) -> dict[str, str]:
    """The folders of the heads that analyse a corpus and of their encoders, each with the SHA-256 of its description.

    A description holds the checksums of all files of its bundle. Raises BundleError when one is missing or damaged.
    """
    serving = read_release(bundles).serving
    folders = [serving[task] for task in TASKS]
    references = [read_bundle(bundles / folder, HeadBundle).encoder for folder in folders]
    folders += [encoder_folder(reference.name, reference.fingerprint) for reference in references]
    return {folder: sha256(bundles / folder / BUNDLE_FILE) for folder in folders}
