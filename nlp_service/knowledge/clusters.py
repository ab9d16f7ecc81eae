"""Tickets that tell the same matter, grouped without knowing how many matters there are.

Stars as in Taylor–Butina clustering (Butina 1999): the ticket that most others resemble takes these as its group, then
the next one of those that are left. Over a graph of nearest neighbours a star holds a bounded number, so the centres
are grouped in the same way until no two resemble each other. Equal input gives equal groups.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from nlp_service.knowledge.likeness import UNFITTED, Likeness, Values

NEIGHBOURS = 32
EXACT_UP_TO = 20_000
"""Above so many tickets the neighbours are looked for in the nearest cells alone."""
CELLS_SEARCHED = 12
CELL_ROUNDS = 5
"""Of k-means, which finds the cells."""
TRAINED_PER_CELL = 40
ROUNDS = 8
THRESHOLD = 0.7
"""Least probability of telling the same matter; docs/decisions/0015 has the figures."""
Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Points:
    """What is grouped: of each ticket its vector, normalised, the logarithm of its length and a code of its label."""

    vectors: Vectors
    """Shape (tickets, dimension)."""
    lengths: Values
    labels: Numbers

    def __len__(self) -> int:
        return len(self.vectors)

    def of(self, places: Numbers) -> "Points":
        """Those at some places."""
        return Points(self.vectors[places], self.lengths[places], self.labels[places])


def clusters(points: Points, threshold: float = THRESHOLD, likeness: Likeness = UNFITTED) -> list[Numbers]:
    """The places of each group's tickets, ascending; the largest group first, equal ones by their first ticket."""
    owner = centres = np.arange(len(points))
    resembles_another = np.ones(len(points), bool)
    for _ in range(ROUNDS):
        neighbours = _neighbours(points.of(centres), threshold, likeness)
        taken_by = centres[_stars(neighbours, np.bincount(owner, minlength=len(points))[centres])]
        if (taken_by == centres).all():
            break
        # A centre that resembles nothing now never will.
        resembles_another[centres] = [len(near) > 0 for near in neighbours]
        new_centre = np.arange(len(points))
        new_centre[centres] = taken_by
        owner = new_centre[owner]
        centres = np.flatnonzero((owner == np.arange(len(points))) & resembles_another)
    order = np.argsort(owner, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(owner[order])) + 1) if len(points) else []
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def _stars(neighbours: list[Numbers], weights: Numbers) -> Numbers:
    """For each point the place of its star's centre, which may be its own, shape (points,)."""
    resembled = np.array([weights[place] + weights[near].sum() for place, near in enumerate(neighbours)])
    centre = np.full(len(weights), -1)
    for place in np.lexsort((np.arange(len(weights)), -resembled)):
        if centre[place] < 0:
            near = neighbours[place]
            centre[near[centre[near] < 0]] = place
            centre[place] = place
    return centre


def _neighbours(points: Points, threshold: float, likeness: Likeness) -> list[Numbers]:
    """For each point the places of those that tell the same with a probability of `threshold` or more."""
    edges = np.concatenate([np.empty((0, 2), np.int64), *_edges(points, threshold, likeness)])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    starts = np.searchsorted(edges[:, 0], np.arange(len(points) + 1))
    return [edges[start:end, 1] for start, end in itertools.pairwise(starts)]


def _edges(points: Points, threshold: float, likeness: Likeness, chunk: int = 4096) -> Iterator[Numbers]:
    """Pairs of places, shape (pairs, 2)."""
    index = _index(points.vectors)
    k = min(NEIGHBOURS + 1, len(points))
    for start in range(0, len(points), chunk):
        cosines, places = index.search(points.vectors[start : start + chunk], k)
        rows = np.repeat(np.arange(start, start + len(places)), k)
        others, found = places.reshape(-1), cosines.reshape(-1).astype(np.float64)
        real = (others >= 0) & (others != rows)
        rows, others, found = rows[real], others[real], found[real]
        same = likeness.probabilities(
            found,
            np.minimum(points.lengths[rows], points.lengths[others]),
            points.labels[rows] == points.labels[others],
        )
        yield np.stack([rows, others], axis=1)[same >= threshold]


def _index(vectors: Vectors) -> faiss.Index:
    flat = faiss.IndexFlatIP(vectors.shape[1])
    if len(vectors) <= EXACT_UP_TO:
        flat.add(vectors)
        return flat
    # Four times the square root, as FAISS recommends for fewer than a million vectors.
    cells = int(4 * np.sqrt(len(vectors)))
    index = faiss.IndexIVFFlat(flat, vectors.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = CELL_ROUNDS
    index.cp.max_points_per_centroid = TRAINED_PER_CELL
    index.train(vectors)
    index.add(vectors)
    index.nprobe = CELLS_SEARCHED
    return index
