"""Building: what is complete stays, what was interrupted is made again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from training.build.bundles import _build


def _writer(text: str) -> Callable[[Path], None]:
    def write(target: Path) -> None:
        (target / "file").write_text(text, encoding="utf-8")

    return write


def test_a_bundle_of_the_same_inputs_is_not_built_again(tmp_path: Path) -> None:
    calls: list[str] = []
    for _ in range(2):
        _build(tmp_path / "bundle", "inputs", lambda target: calls.append(target.name))
    assert len(calls) == 1


def test_a_bundle_of_other_inputs_replaces_the_old_one(tmp_path: Path) -> None:
    for text in ("old", "new"):
        _build(tmp_path / "bundle", text, _writer(text))
    assert (tmp_path / "bundle" / "file").read_text("utf-8") == "new"


def test_an_interrupted_build_keeps_the_old_bundle(tmp_path: Path) -> None:
    _build(tmp_path / "bundle", "old", _writer("old"))

    def interrupted(target: Path) -> None:
        (target / "file").write_text("half", "utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _build(tmp_path / "bundle", "new", interrupted)
    assert (tmp_path / "bundle" / "file").read_text("utf-8") == "old"


def test_an_interrupted_build_is_made_again(tmp_path: Path) -> None:
    def interrupted(target: Path) -> None:
        (target / "half").write_text("half", "utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _build(tmp_path / "bundle", "inputs", interrupted)
    _build(tmp_path / "bundle", "inputs", _writer("whole"))
    assert [file.name for file in (tmp_path / "bundle").iterdir() if file.name != ".inputs"] == ["file"]
