"""What the tests of commands share."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _command_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands work in the fresh folder, on a wide terminal."""
    monkeypatch.setenv("NLP_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "400")
