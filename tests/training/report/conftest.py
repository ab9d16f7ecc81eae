from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest
from matplotlib.font_manager import fontManager

from training.report.fonts import font_with


@pytest.fixture
def own_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without fonts but those that matplotlib carries: none has Chinese characters."""
    folder = matplotlib.get_data_path()
    carried = [entry for entry in fontManager.ttflist if Path(entry.fname).is_relative_to(folder)]
    monkeypatch.setattr(fontManager, "ttflist", carried)
    font_with.cache_clear()
    yield
    font_with.cache_clear()
