"""The answers of bundles, exactly as the service gives them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import BUNDLE_FILE, HeadBundle, Task, read_bundle
from nlp_service.inference.encoder import Encoder
from nlp_service.inference.head import Head
from nlp_service.inference.release import SEARCH, Parts, encoder_folder

CHUNK = 256


class BundledVectors:
    """Pooled vectors of one quantised encoder; each text is encoded once."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.encoder = Encoder.load(folder, threads=threads)
        self.folder = folder
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, dimension)."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        for start in range(0, len(new), CHUNK):
            chunk = new[start : start + CHUNK]
            self._known.update(zip(chunk, self.encoder.encode(chunk), strict=True))
        if not texts:
            return np.empty((0, self.encoder.bundle.dimension), np.float32)
        return np.stack([self._known[text] for text in texts])


class BundledModels:
    """The heads of some parts, with their encoders; folders are looked for in several bundle roots, in order."""

    def __init__(self, roots: Sequence[Path], parts: Parts) -> None:
        self._roots = roots
        self._vectors: dict[str, BundledVectors] = {}
        self.heads: dict[Task, Head] = {}
        self.folders: dict[Task, Path] = {}
        for part, folder in parts.items():
            if part != SEARCH:
                self._open(cast(Task, part), self.find(folder))

    def find(self, folder: str) -> Path:
        """Where the bundle lies; raises BundleError when no root has it."""
        for root in self._roots:
            if (root / folder / BUNDLE_FILE).is_file():
                return root / folder
        raise BundleError(f"{folder}: 没有这个模型包 · no such bundle in {', '.join(map(str, self._roots))}")

    def _open(self, task: Task, folder: Path) -> None:
        reference = read_bundle(folder, HeadBundle).encoder
        if reference.fingerprint not in self._vectors:
            encoder = self.find(encoder_folder(reference.name, reference.fingerprint))
            self._vectors[reference.fingerprint] = BundledVectors(encoder)
        self.heads[task] = Head.load(folder, self._vectors[reference.fingerprint].encoder.bundle)
        self.folders[task] = folder

    def vectors(self, task: Task) -> BundledVectors:
        """The encoder that the head of `task` reads."""
        return self._vectors[self.heads[task].bundle.encoder.fingerprint]

    def probabilities(self, task: Task, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated, shape (texts, labels), for aspects (texts, aspects, labels)."""
        return self.heads[task].probabilities(self.vectors(task).of(texts))

    def uncalibrated(self, task: Task, texts: Sequence[str]) -> NDArray[np.float32]:
        """The same at temperature 1."""
        head = self.heads[task]
        return head.at_temperature(1.0).probabilities(self.vectors(task).of(texts))

    def milliseconds(self, task: Task, texts: Sequence[str], *, batch: int = 32, rounds: int = 3) -> float:
        """Median time a text in batches of `batch`, without remembered vectors."""
        encoder, head = self.vectors(task).encoder, self.heads[task]
        took = []
        for _ in range(rounds):
            started = time.perf_counter()
            for start in range(0, len(texts), batch):
                head.probabilities(encoder.encode(texts[start : start + batch]))
            took.append(time.perf_counter() - started)
        return sorted(took)[rounds // 2] / max(len(texts), 1) * 1000
