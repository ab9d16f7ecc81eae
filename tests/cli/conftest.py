"""What the tests of commands share."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from nlp_service.inference.encoder import Encoder


@pytest.fixture(autouse=True)
def _command_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands work in the fresh folder, on a wide terminal."""
    monkeypatch.setenv("NLP_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture(scope="package", autouse=True)
def _encoders_stay_loaded() -> Iterator[None]:
    """Commands run one after another in this process, and each would take two seconds to load the same encoders."""
    load, load_queries = cache(Encoder.load), cache(Encoder.of_queries)

    def load_once(folder: Path, *, threads: int) -> Encoder:
        return load(folder.resolve(), threads=threads)

    def load_queries_once(encoder: Encoder, folder: Path, *, threads: int) -> Encoder | None:
        return load_queries(encoder, folder.resolve(), threads=threads)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "load", load_once)
        patch.setattr(Encoder, "of_queries", load_queries_once)
        yield
