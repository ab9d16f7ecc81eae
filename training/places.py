"""Where the project's folders and a candidate's files lie."""

from dataclasses import dataclass
from pathlib import Path

CONFIG_FILE = "config.json"
CANDIDATE_FILE = "candidate.json"


@dataclass(frozen=True)
class Places:
    """The project's folders."""

    models: Path
    data: Path
    var: Path

    @property
    def bundles(self) -> Path:
        """What serves."""
        return self.var / "bundles"

    @property
    def candidates(self) -> Path:
        """What was trained and may be promoted."""
        return self.var / "candidates"
