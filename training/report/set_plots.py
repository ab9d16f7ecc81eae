"""All plots of one set, and what their stand-ins mean."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.report import plots
from training.report.fonts import names_for

LONGEST = 44
"""Characters of a name beside a bar."""


class SetPlots:
    """Draws the plots of one set into a folder; `legend` collects what the stand-ins in them mean.

    Names of the files begin with `number`, so that sets whose names are spelled alike do not overwrite each other.
    """

    def __init__(self, found: Mapping[str, Any], number: int, folder: Path) -> None:
        self._found = found
        self._key = f"{found['task']}/{found['name']}"
        self._stem = f"{number:02d}-{re.sub(r'[^a-z0-9]+', '-', self._key.lower()).strip('-')}"
        self._folder = folder
        self._measure: str = found["measure"]
        self._labels = names_for(found["labels"], "label")
        self.legend = dict(self._labels.legend)

    def confusion(self) -> str:
        """Returns the name of the file, as the others do."""
        file = self._file("confusion")
        plots.confusion_matrix(self._found["confusion"], self._labels, self._key, file)
        return file.name

    def classes(self) -> str:
        """F1 of each class or aspect."""
        file = self._file("classes")
        if "classes" in self._found:
            rows = list(self._found["classes"].values())
            plots.class_bars(rows, "f1", self._labels, self._key, file)
        else:
            names = names_for(list(self._found["aspects"]), "aspect")
            plots.class_bars(list(self._found["aspects"].values()), "mention_f1", names, self._key, file)
        return file.name

    def reliability(self) -> str:
        """Confidence against accuracy."""
        file = self._file("reliability")
        plots.reliability_diagram(self._found["reliability"], self._found["ece"], self._key, file)
        return file.name

    def risk_coverage(self) -> str:
        """Errors by how many answers are given."""
        file = self._file("risk-coverage")
        plots.risk_coverage(self._found["risk_coverage"], self._found["review"], self._key, file)
        return file.name

    def slices(self) -> str:
        """The measure by slice."""
        file = self._file("slices")
        fields: Mapping[str, Mapping[str, Any]] = self._found["slices"]
        meant = [f"{field}: {value}" for field, values in fields.items() for value in values]
        names = names_for(meant, "slice", longest=LONGEST)
        self.legend |= names.legend
        parts = [list(values.values()) for values in fields.values()]
        plots.slice_bars(parts, self._measure, self._found[self._measure]["value"], names, self._key, file)
        return file.name

    def baselines(self, others: Mapping[str, Mapping[str, Any]]) -> str:
        """The model and simpler methods."""
        file = self._file("baselines")
        names = names_for(["this model", *others], "method", longest=LONGEST)
        self.legend |= names.legend
        model = self._found[self._measure]
        figures = {name: other[self._measure] for name, other in others.items()}
        plots.baseline_bars(model, figures, self._measure, names, self._key, file)
        return file.name

    def _file(self, what: str) -> Path:
        return self._folder / f"{self._stem}-{what}.png"
