"""Fixed texts of the build: to calibrate the quantisation, and to compare with the full-precision model.

One text a line in ``data/build/{calibration,comparison}.txt``: tickets, reviews and article parts of this project. No
text stands in both files.
"""

from pathlib import Path
from typing import Literal

TEST_VECTOR_TEXTS = 4
"""So many of the comparison texts travel in the bundle, with their vectors."""


def texts_file(data_dir: Path, name: Literal["calibration", "comparison"]) -> Path:
    """Where the texts lie."""
    return data_dir / "build" / f"{name}.txt"


def read_texts(data_dir: Path, name: Literal["calibration", "comparison"]) -> list[str]:
    """The texts, one a line."""
    return texts_file(data_dir, name).read_text("utf-8").splitlines()
