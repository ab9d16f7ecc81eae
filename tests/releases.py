"""Copies of the bundles that a test may change, other versions of what serves in them, and their replacement."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from nlp_service.inference.bundle import BUNDLE_FILE, EncoderReference, HeadBundle, Task, read_bundle, sha256
from nlp_service.inference.head import TEST_ANSWERS_FILE, WEIGHTS_FILE
from nlp_service.inference.release import (
    ENCODERS,
    HEADS,
    RELEASE_FILE,
    SEARCH,
    Parts,
    encoder_folder,
    head_folder,
    read_release,
    write_release,
)
from tests.conftest import BUNDLES


def copy_bundles(home: Path) -> Path:
    """The bundles folder of `home`, made now: the heads and the release copied, the encoders linked."""
    bundles = home / "var" / "bundles"
    shutil.copytree(BUNDLES / HEADS, bundles / HEADS)
    shutil.copy(BUNDLES / RELEASE_FILE, bundles / RELEASE_FILE)
    (bundles / ENCODERS).mkdir()
    for encoder in (BUNDLES / ENCODERS).iterdir():
        (bundles / ENCODERS / encoder.name).symlink_to(encoder)
    return bundles


def serving_head(bundles: Path, task: Task) -> Path:
    """The folder of the head that serves for `task`."""
    return bundles / read_release(bundles).serving[task]


def edit_bundle(folder: Path, **changes: object) -> None:
    """Change fields of the bundle's description."""
    manifest = json.loads((folder / BUNDLE_FILE).read_text("utf-8"))
    (folder / BUNDLE_FILE).write_text(json.dumps({**manifest, **changes}), "utf-8")


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of the bundle, and its checksum with it."""
    (folder / name).write_bytes(content)
    files = json.loads((folder / BUNDLE_FILE).read_text("utf-8"))["files"]
    edit_bundle(folder, files={**files, name: sha256(folder / name)})


def edit_tensors(folder: Path, name: str, **changes: NDArray[np.float32]) -> None:
    """Replace tensors in a file of the bundle, and its checksum with them."""
    save_file({**load_file(folder / name), **changes}, folder / name)
    replace_file(folder, name, (folder / name).read_bytes())


def copy_head(bundles: Path, task: Task, version: str) -> Path:
    """Another version of the head that serves for `task`, with the same weights."""
    folder = bundles / head_folder(task, version)
    shutil.copytree(serving_head(bundles, task), folder)
    edit_bundle(folder, version=version)
    return folder


def turn_head(bundles: Path, task: Task, version: str) -> Path:
    """Another version for a `task` of one answer: each label gets the probability that the one before it had."""
    folder = copy_head(bundles, task, version)
    weights = load_file(folder / WEIGHTS_FILE)
    answers = load_file(folder / TEST_ANSWERS_FILE)["probabilities"]
    edit_tensors(folder, WEIGHTS_FILE, **{name: np.roll(tensor, 1, axis=0) for name, tensor in weights.items()})
    edit_tensors(folder, TEST_ANSWERS_FILE, probabilities=np.roll(answers, 1, axis=1))
    return folder


def move_to_own_encoder(bundles: Path, head: Path) -> Path:
    """Put a copied head on an encoder of its task's own: the same weights under another name and fingerprint."""
    bundle = read_bundle(head, HeadBundle)
    shared = bundle.encoder
    own = EncoderReference(name=bundle.task, fingerprint=shared.fingerprint[::-1])
    target = bundles / encoder_folder(own.name, own.fingerprint)
    target.mkdir()
    for file in (bundles / encoder_folder(shared.name, shared.fingerprint)).iterdir():
        (target / file.name).symlink_to(file.resolve())
    description = (target / BUNDLE_FILE).read_bytes()
    (target / BUNDLE_FILE).unlink()
    (target / BUNDLE_FILE).write_bytes(description)
    edit_bundle(target, **own.model_dump())
    edit_bundle(head, encoder=own.model_dump())
    return head


def promote(bundles: Path, task: Task, folder: Path) -> None:
    """Let the head in `folder` serve for `task`."""
    parts: Parts = {task: folder.relative_to(bundles).as_posix()}
    write_release(bundles, read_release(bundles).changed("promote", task, parts))


def promote_search(bundles: Path) -> None:
    """Let the encoder that the head for tickets reads serve for search as well: another one, and a real one."""
    encoder = read_bundle(serving_head(bundles, "classify"), HeadBundle).encoder
    parts: Parts = {SEARCH: encoder_folder(encoder.name, encoder.fingerprint)}
    write_release(bundles, read_release(bundles).changed("promote", SEARCH, parts))


def wait_for_closing() -> None:
    """Return when every engine that was replaced, and that no request has any more, is closed."""
    for thread in threading.enumerate():
        if thread.name == "close-engine":
            thread.join(30)
