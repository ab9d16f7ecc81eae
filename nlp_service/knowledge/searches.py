"""The search of each encoder that serves or is about to: one set of indexes, a space of vectors for each."""

import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from nlp_service.errors import Overloaded
from nlp_service.inference.engine import Engine, encode_passages
from nlp_service.knowledge.encoders import note_use
from nlp_service.knowledge.followed import ENCODE_TOGETHER, FollowedIndexes, Progress
from nlp_service.knowledge.index_state import IndexState, index_state
from nlp_service.knowledge.keeper import Keeper
from nlp_service.knowledge.likeness import likeness_of
from nlp_service.knowledge.relevance import relevance_of
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.knowledge.snapshot import Snapshots
from nlp_service.knowledge.space import VectorSpace
from nlp_service.storage.database import Database

START_SECONDS = 2.0
"""The service is ready after so long, though its indexes may not be complete."""
PAUSE_SECONDS = 1.0


class Searches:
    """Knows which search belongs to an engine. May be used by several threads; close it before the encoders."""

    def __init__(self, database: Database, folder: Path, statuses: Sequence[str]) -> None:
        """Snapshots lie in `folder`."""
        self._database = database
        self._folder = folder
        self._statuses = statuses
        self._indexes = FollowedIndexes(database)
        self._keeper = Keeper(database, self._indexes, folder)
        self._by_encoder: dict[str, KnowledgeSearch] = {}
        self._lock = threading.Lock()

    def start(self, engine: Engine) -> None:
        """Open the newest snapshot and replay what has changed since; else build the indexes in the background."""
        self._open(engine)
        self._keeper.start(wait=START_SECONDS)

    def load(self, engine: Engine) -> KnowledgeSearch:
        """As `start`, but in this thread, and complete; there is nothing to close."""
        search = self._open(engine)
        if self._indexes.building:
            search.rebuild()
        search.follow()
        return search

    def rebuild(self, engine: Engine, progress: Progress) -> int:
        """Build the indexes anew in this thread, and save a snapshot of them; gives the number of records."""
        search = self._new(engine)
        self._indexes.add(search.space, None)
        search.rebuild(progress)
        self._snapshots(search.space).save(self._indexes.state(search.space))
        return len(search)

    def of(self, engine: Engine) -> KnowledgeSearch:
        """The search with the vectors of this engine's search encoder, which serves."""
        return self._by_encoder[engine.search_model.fingerprint]

    def state(self, engine: Engine) -> IndexState:
        """How far the indexes are, with the vectors of this engine's encoder; raises what the database raises."""
        space = self.of(engine).space
        return index_state(self._database, self._indexes, space, self._keeper, self._snapshots(space))

    def prepare(self, engine: Engine, cancelled: Callable[[], bool]) -> None:
        """Build the space of an engine that is about to serve, and wait until it is complete or no longer wanted.

        Raises BundleError, and whatever keeps the vectors from being computed and stored.
        """
        with self._lock:
            known = self._by_encoder.get(engine.search_model.fingerprint)
            if known is not None:  # of an engine that some request still has; its encoder will be closed
                known.space.encode = partial(encode_passages, engine.search)
                return
        search = self._new(engine)
        space = search.space
        space.prepared_elsewhere = True
        note_use(self._database, space.fingerprint)
        opened = self._snapshots(space).open()
        self._indexes.add(space, opened.sequences if opened is not None and opened.has_vectors else None)
        try:
            self._complete(space, cancelled)
        except BaseException:
            self._indexes.drop(space)
            raise
        if cancelled():
            self._indexes.drop(space)
            return
        with self._lock:
            self._by_encoder[space.fingerprint] = search
        self._indexes.unsaved += len(search)
        space.prepared_elsewhere = False

    def keep_only(self, in_use: Callable[[], Collection[str]]) -> None:
        """Forget the searches whose encoders are not in use."""
        with self._lock:
            kept = in_use()
            for fingerprint in [one for one in self._by_encoder if one not in kept]:
                self._indexes.drop(self._by_encoder.pop(fingerprint).space)

    def close(self) -> None:
        """Stop what runs in the background; save a snapshot when much has changed."""
        self._keeper.close()

    def _open(self, engine: Engine) -> KnowledgeSearch:
        search = self._new(engine)
        opened = self._snapshots(search.space).open()
        if opened is None:
            self._indexes.begin()
        else:
            self._indexes.restore(opened.text, opened.sequences)
        self._indexes.add(search.space, opened.sequences if opened is not None and opened.has_vectors else None)
        self._by_encoder[search.space.fingerprint] = search
        return search

    def _new(self, engine: Engine) -> KnowledgeSearch:
        model = engine.search_model
        return KnowledgeSearch(
            self._database,
            partial(encode_passages, engine.search),
            model.fingerprint,
            model.dimension,
            self._statuses,
            relevance_of(model.relevance),
            self._indexes,
            likeness_of(model.likeness),
        )

    def _snapshots(self, space: VectorSpace) -> Snapshots:
        return Snapshots(self._folder, self._database, space)

    def _complete(self, space: VectorSpace, cancelled: Callable[[], bool]) -> None:
        pause = threading.Event()
        self._indexes.follow()  # what was committed a moment ago is part of it
        while (self._indexes.building or space.missing) and not cancelled():
            try:
                self._indexes.fill(space, cancelled, together=ENCODE_TOGETHER)
            except Overloaded:
                pause.wait(PAUSE_SECONDS)
            self._indexes.follow()
        while not cancelled() and self._indexes.merge(space):
            pass
