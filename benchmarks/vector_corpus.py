"""As many vectors as asked for, spread as real ones are, and real queries.

The seeds are passages of this project's texts. Each vector is a seed x moved towards and away from its nearest
neighbours nᵢ, x + Σ gᵢ·(nᵢ − x) with normal gᵢ, at the distance from the mean of all that x has, and normalised: it
leaves the seed only in directions in which real texts differ. So the local intrinsic dimension stays that of texts;
noise in all directions would raise it to hundreds, as no index ever meets. The queries are real and no part of it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nlp_service.cli.console import progress
from nlp_service.cli.runtime import open_engine
from nlp_service.inference.encoder import normalise
from nlp_service.settings import Settings

NEIGHBOURS = 64
STRENGTH = 0.2
"""Standard deviation of gᵢ: the local intrinsic dimension of 100,000 such vectors is then 23; that of the seeds is 29,
but these are few and far apart."""
CHUNK = 64
BLOCK = 20_000
TOP = 10
Vectors = NDArray[np.float32]
Side = Literal["query", "passage"]


@dataclass(frozen=True)
class Corpus:
    """What methods are compared on: vectors in a file, queries, and the rows of their TOP nearest."""

    file: Path
    queries: Vectors
    truth: NDArray[np.int64]

    @property
    def vectors(self) -> Vectors:
        """All vectors, mapped, shape (count, dimension)."""
        mapped: Vectors = np.load(self.file, mmap_mode="r")
        return mapped


def make_corpus(seeds: "Seeds", count: int, queries: int, folder: Path) -> Corpus:
    """Synthesise `count` vectors into a file in `folder`, and search them exactly."""
    file = folder / "vectors.npy"
    asked = seeds.queries[np.linspace(0, len(seeds.queries) - 1, min(queries, len(seeds.queries))).astype(int)]
    mapped = np.lib.format.open_memmap(file, "w+", np.float32, (count, asked.shape[1]))
    rows, cosines = np.empty((len(asked), 0), np.int64), np.empty((len(asked), 0), np.float32)
    with progress() as bar:
        task = bar.add_task("向量 · vectors", total=count)
        start = 0
        rng = np.random.default_rng(1)
        for block in synthesise(seeds.passages, rng.integers(len(seeds.passages), size=count), rng):
            mapped[start : start + len(block)] = block
            found, places = faiss.knn(asked, block, min(TOP, len(block)), faiss.METRIC_INNER_PRODUCT)
            rows, cosines = np.hstack([rows, places + start]), np.hstack([cosines, found])
            best = np.argsort(-cosines, axis=1, kind="stable")[:, :TOP]
            rows, cosines = np.take_along_axis(rows, best, 1), np.take_along_axis(cosines, best, 1)
            start += len(block)
            bar.advance(task, len(block))
    mapped.flush()
    return Corpus(file, asked, rows)


@dataclass(frozen=True)
class Seeds:
    """Real vectors, normalised: passages, shape (texts, dimension), and queries, shape (queries, dimension)."""

    passages: Vectors
    queries: Vectors


def read_seeds(settings: Settings) -> Seeds:
    """Encode the texts in data/ with what serves; kept in var/ until encoder or texts change."""
    data = settings.home / "data"
    with open_engine(settings) as engine:
        encoder = engine.search.encoder
        cache = settings.var_dir / "benchmarks"
        cache.mkdir(parents=True, exist_ok=True)

        def encoded(side: Side, texts: list[str]) -> Vectors:
            content = hashlib.sha256("\n".join(texts).encode()).hexdigest()
            file = cache / f"{side}-{encoder.bundle.fingerprint[:12]}-{content[:12]}.npy"
            if not file.exists():
                np.save(file, _encode(lambda chunk: encoder.encode(chunk, side), texts, side))
            stored: Vectors = np.load(file)
            return stored

        return Seeds(encoded("passage", list(dict.fromkeys(passages(data)))), encoded("query", query_texts(data)))


def _encode(encode: Callable[[list[str]], Vectors], texts: list[str], title: str) -> Vectors:
    with progress() as bar:
        starts = bar.track(range(0, len(texts), CHUNK), description=title)
        return normalise(np.concatenate([encode(texts[start : start + CHUNK]) for start in starts]))


def passages(data: Path) -> Iterator[str]:
    """The texts that the passages of `read_seeds` are made from, in its order, with repetitions."""
    for row in _rows(data / "knowledge"):
        yield f"{row['title']}\n{row['problem']}\n{row['scenario']}"
    for folder in ("tickets", "reviews"):
        yield from (str(row["text"]) for row in _rows(data / folder))


def query_texts(data: Path) -> list[str]:
    """The queries of `read_seeds`, in its order."""
    lines = (data / "search" / "queries.jsonl").read_text("utf-8").splitlines()
    return [str(json.loads(line)["query"]) for line in lines]


def _rows(folder: Path) -> Iterator[dict[str, object]]:
    for file in sorted(folder.glob("*.jsonl")):
        yield from (json.loads(line) for line in file.read_text("utf-8").splitlines())


def synthesise(seeds: Vectors, rows: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Vectors]:
    """A normalised vector around the seed in each of `rows`, in blocks of shape (vectors, dimension)."""
    neighbours = _neighbours(seeds)
    mean = seeds.mean(axis=0)
    own = seeds - mean
    lengths = np.linalg.norm(own, axis=1, keepdims=True)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        weights = rng.normal(scale=STRENGTH, size=(len(some), NEIGHBOURS)).astype(np.float32)
        weights = np.concatenate([1 - weights.sum(axis=1, keepdims=True), weights], axis=1)
        columns = np.concatenate([some[:, None], neighbours[some]], axis=1)
        bounds = np.arange(0, columns.size + 1, columns.shape[1])
        mixing = csr_array((weights.ravel(), columns.ravel(), bounds), shape=(len(some), len(seeds)))
        yield normalise(mean + lengths[some] * normalise(mixing @ own))


def local_dimension(vectors: Vectors, sample: Vectors, k: int = 20) -> float:
    """Median local intrinsic dimension of `vectors` around `sample`, which are among them (Levina and Bickel 2004)."""
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(vectors)
    squared, _ = index.search(sample, k + 1)
    distances = np.sqrt(np.maximum(squared[:, 1:], 1e-12))
    return float(np.median(1 / np.log(distances[:, -1:] / distances[:, :-1]).mean(axis=1)))


def _neighbours(vectors: Vectors) -> NDArray[np.int64]:
    """Rows of the nearest others of each vector, shape (vectors, NEIGHBOURS)."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    _, rows = index.search(vectors, NEIGHBOURS + 1)
    return rows[:, 1:]
