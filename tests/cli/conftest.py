"""What the tests of commands share."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from nlp_service.inference.bundle import WHOLE, GraphFiles
from nlp_service.inference.encoder import Encoder


@pytest.fixture(autouse=True)
def _command_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands work in the fresh folder, on a wide terminal."""
    monkeypatch.setenv("NLP_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture(scope="package", autouse=True)
def _encoders_stay_loaded() -> Iterator[None]:
    """Commands run one after another in this process, and each would take two seconds to load the same encoders."""
    load = cache(Encoder.load)

    def load_once(folder: Path, *, threads: int, files: GraphFiles = WHOLE, streams: int = 1) -> Encoder:
        return load(folder.resolve(), threads=threads, files=files, streams=streams)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "load", load_once)
        yield
