"""Encoders are opened beside one another; when one cannot be, none stays."""

import threading
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import QUERY, WHOLE
from nlp_service.inference.engine import Engine
from nlp_service.inference.observer import SilentObserver
from nlp_service.inference.opening import Opening
from nlp_service.inference.release import SEARCH, read_release
from tests.conftest import BUNDLES
from tests.tasks import left_of_new_tasks, tasks

FOLDER = BUNDLES / read_release(BUNDLES).serving[SEARCH]
LONG = 60.0


def _damaged(folder: Path) -> Path:
    """A copy of the search encoder with other test vectors than its description says."""
    folder.mkdir()
    for file in FOLDER.iterdir():
        (folder / file.name).symlink_to(file.resolve())
    (folder / WHOLE.test_vectors).unlink()
    (folder / WHOLE.test_vectors).write_bytes(b"")
    return folder


def test_two_are_opened_at_a_time() -> None:
    both = threading.Barrier(2, timeout=LONG)

    def observe(encoder: str) -> SilentObserver:  # noqa: ARG001 - the names are those of `Observe`
        both.wait()
        return SilentObserver()

    with ExitStack() as closed, Opening({}, threads=1, observe=observe) as opening:
        for key in ("one", "other"):
            opening.begin(key, FOLDER, None, QUERY)
        opened = [closed.enter_context(closing(opening.opened(key))) for key in ("one", "other")]
        assert opened[0] is not opened[1]


def test_beside_encoders_that_serve_they_are_opened_one_after_the_other(engine: Engine) -> None:
    threads = []

    def observe(encoder: str) -> SilentObserver:  # noqa: ARG001 - the names are those of `Observe`
        threads.append(threading.current_thread())
        return SilentObserver()

    with ExitStack() as closed, Opening({"serves": engine.search}, threads=1, observe=observe) as opening:
        for key in ("one", "other"):
            opening.begin(key, FOLDER, None, QUERY)
        for key in ("one", "other"):
            closed.enter_context(closing(opening.opened(key)))
    assert threads[0] is threads[1]


def _open(folders: Iterable[Path], asked: Iterable[Path]) -> None:
    """Open all, and wait for them in another order."""
    with Opening({}, threads=1, observe=None) as opening:
        for folder in folders:
            opening.begin(folder.name, folder, None, QUERY)
        for folder in asked:
            opening.opened(folder.name)


@pytest.mark.parametrize("step", [1, -1], ids=["asked for last", "asked for first"])
def test_one_that_is_damaged_is_named_and_the_others_are_closed(tmp_path: Path, step: int) -> None:
    folders = [FOLDER, _damaged(tmp_path / "broken")]
    before = tasks()
    with pytest.raises(BundleError, match="broken"):
        _open(folders, folders[::step])
    assert left_of_new_tasks(before) == set()


def test_of_two_that_are_damaged_the_one_that_is_asked_for_first_is_named(tmp_path: Path) -> None:
    folders = [_damaged(tmp_path / name) for name in ("second", "first")]
    with pytest.raises(BundleError, match="first"):
        _open(folders, folders[::-1])
