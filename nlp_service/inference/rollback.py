"""Let serve again what served before: by an operator as well, without the training package."""

from collections.abc import Iterable
from pathlib import Path

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import EncoderBundle, HeadBundle, read_bundle
from nlp_service.inference.locking import exclusive
from nlp_service.inference.release import HEADS, Change, encoder_folder, read_release, write_release


def roll_back(bundles: Path, target: str) -> Change:
    """Let serve what served before the last promotion of `target` that was not undone; returns the step.

    Raises BundleError when there is nothing to roll back, or what served is damaged; then everything serves as before.
    """
    with exclusive(bundles):
        release = read_release(bundles)
        earlier = release.rolled_back(target)
        if earlier is release:
            raise BundleError(f"{target}: 之前没有可服务的版本 · nothing served before the last promotion")
        step = earlier.history[-1]
        verify_installed(step.after.values(), bundles)
        write_release(bundles, earlier)
    return step


def verify_installed(folders: Iterable[str], bundles: Path) -> None:
    """Raise BundleError unless each of these bundles, and the encoder of each head, is there and intact."""
    for folder in folders:
        bundle = read_bundle_of(folder, bundles / folder)
        if isinstance(bundle, HeadBundle):
            read_bundle(bundles / encoder_folder(bundle.encoder.name, bundle.encoder.fingerprint), EncoderBundle)


def read_bundle_of(folder: str, place: Path) -> EncoderBundle | HeadBundle:
    """Read and verify the bundle `folder` (``heads/…`` or ``encoders/…``) at `place`; raises BundleError."""
    return read_bundle(place, HeadBundle) if folder.startswith(f"{HEADS}/") else read_bundle(place, EncoderBundle)
