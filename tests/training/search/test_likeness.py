"""Fitting, with a new search encoder, when a ticket repeats another."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.__main__ import CONFIGS
from training.base.spec import Prefixes
from training.console import console
from training.places import Places
from training.search.config import load_search_config
from training.search.run import PrefixedEncoder, _likeness


def _encode(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.ones((len(texts), 2), np.float32)


def test_without_repeats_nothing_is_fitted_and_that_is_said(tmp_path: Path) -> None:
    config = load_search_config(CONFIGS / "search.toml", {"data": tmp_path})
    places = Places(tmp_path / "models", tmp_path / "data", tmp_path / "var")
    with console.capture() as printed:
        fitted = _likeness(config, places, PrefixedEncoder(_encode, Prefixes(query="", passage="")))
    assert fitted is None
    assert "duplicates of tickets keep the probabilities" in " ".join(printed.get().split())
