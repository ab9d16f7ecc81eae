"""How far the indexes of a process are, for operators."""

from dataclasses import dataclass

import numpy as np

from nlp_service.knowledge.facets import Filters
from nlp_service.knowledge.followed import FollowedIndexes, Sequences
from nlp_service.knowledge.keeper import Keeper
from nlp_service.knowledge.keys import KINDS, Kind, key_of
from nlp_service.knowledge.snapshot import Snapshots
from nlp_service.knowledge.sources import last_changes
from nlp_service.knowledge.space import VectorSpace
from nlp_service.storage.database import Database


@dataclass(frozen=True)
class IndexState:
    """At one moment. Times are seconds since 1970."""

    records: dict[Kind, int]
    building: bool
    """Whether the records are still being read."""
    missing: int
    """Records without their vector in what serves."""
    missing_prepared: int
    """The same, of an encoder that is about to serve."""
    followed: Sequences
    """The last change that the indexes hold."""
    lag: Sequences
    """How many changes the database has beyond it."""
    unsaved: int
    """Changes since the last snapshot."""
    kept_at: float | None
    """When the indexes were last found or made current; None before the first time."""
    saved_at: float | None
    """When the newest snapshot was saved; None without one."""


def index_state(
    database: Database, indexes: FollowedIndexes, space: VectorSpace, keeper: Keeper, snapshots: Snapshots
) -> IndexState:
    """The state of the indexes with the space that serves; raises what the database raises."""
    with indexes.lock:
        followed, present = indexes.followed, indexes.text.facets.match(Filters(), None)
    with database.read() as session:
        last = last_changes(session)
    return IndexState(
        records={kind: int(np.count_nonzero(present[key_of(kind, 0) :: len(KINDS)])) for kind in KINDS},
        building=indexes.building,
        missing=len(space.missing),
        missing_prepared=sum(len(other.missing) for other in indexes.spaces if other.prepared_elsewhere),
        followed=followed,
        lag={kind: max(0, last[kind] - followed[kind]) for kind in KINDS},
        unsaved=indexes.unsaved,
        kept_at=keeper.kept_at,
        saved_at=snapshots.saved_at(),
    )
