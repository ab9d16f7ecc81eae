"""The thread of a process that keeps its indexes complete, merged and saved."""

import shutil
import threading
import time
from pathlib import Path

import structlog

from nlp_service.errors import Overloaded
from nlp_service.knowledge.encoders import forget_unused, note_use
from nlp_service.knowledge.followed import ENCODE_TOGETHER, FollowedIndexes
from nlp_service.knowledge.snapshot import Snapshots
from nlp_service.knowledge.space import VectorSpace
from nlp_service.storage.database import Database
from nlp_service.tracebacks import described

FOLLOW_SECONDS, RETRY_SECONDS = 0.5, 5.0
SAVE_FROM, SAVE_SHARE = 2_000, 0.02
"""Changes, at least, and as a share of the records, after which a snapshot is saved."""
WORTH_SAVING = 200
"""Changes that take about a second to replay: fewer are not saved when the process ends."""
ENCODERS_SECONDS, FIRST_ENCODERS_SECONDS = 3600.0, 60.0
CLOSE_SECONDS = 10.0
"""A merge of a large index is not waited for; it is done again after the next start."""
log = structlog.get_logger()


class Keeper:
    """Works in the background from `start` to `close`."""

    def __init__(self, database: Database, indexes: FollowedIndexes, folder: Path) -> None:
        """Snapshots lie in `folder`."""
        self.kept_at: float | None = None
        """When the indexes were last found or made current, in seconds since 1970."""
        self._database = database
        self._indexes = indexes
        self._folder = folder
        self._closing = threading.Event()
        self._complete = threading.Event()
        self._failure = ""
        self._next_look = time.monotonic() + FIRST_ENCODERS_SECONDS
        self._thread = threading.Thread(target=self._run, name="keep-indexes", daemon=True)

    def start(self, *, wait: float) -> None:
        """Begin, and wait up to so many seconds until the indexes are complete."""
        self._indexes.fills_later = True
        self._thread.start()
        self._complete.wait(wait)

    def close(self) -> None:
        """Stop; save what would take long to do again."""
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)
        try:
            if not self._thread.is_alive():
                self._save(WORTH_SAVING)
        except Exception as error:  # noqa: BLE001 - a snapshot that cannot be saved costs the next start time only
            self._report(error)

    def _run(self) -> None:
        while True:
            try:
                self._keep()
                self.kept_at = time.time()
                self._complete.set()
                self._failure, seconds = "", FOLLOW_SECONDS
            except Overloaded:
                seconds = RETRY_SECONDS
            except Exception as error:  # noqa: BLE001 - the database or an encoder may come back
                self._report(error)
                seconds = RETRY_SECONDS
            if self._closing.wait(seconds):
                return

    def _keep(self) -> None:
        indexes, stop = self._indexes, self._closing.is_set
        if indexes.building:
            indexes.build(stop=stop)
        indexes.follow()
        for space in self._spaces():
            try:
                indexes.fill(space, stop, together=ENCODE_TOGETHER)
            except Exception:
                if space in indexes.spaces:  # else its encoder was closed
                    raise
            if not stop():
                indexes.merge(space)
        if not stop():
            self._save(max(SAVE_FROM, int(SAVE_SHARE * len(indexes.text))))
            self._look_at_encoders()

    def _spaces(self) -> list[VectorSpace]:
        return [space for space in self._indexes.spaces if not space.prepared_elsewhere]

    def _save(self, changes: int) -> None:
        """Save what serves when so many records changed, unless another process has done so."""
        indexes = self._indexes
        if indexes.building or indexes.unsaved < changes:
            return
        for space in self._spaces():
            snapshots = Snapshots(self._folder, self._database, space)
            snapshots.save(indexes.state(space), unless_within=changes - 1)

    def _look_at_encoders(self) -> None:
        """Note which encoders are used here, and delete what belongs to those that nobody uses."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + ENCODERS_SECONDS
        for space in self._indexes.spaces:
            note_use(self._database, space.fingerprint)
        for fingerprint in forget_unused(self._database):
            shutil.rmtree(self._folder / fingerprint, ignore_errors=True)
            log.info("vectors deleted", encoder=fingerprint[:12])

    def _report(self, error: Exception) -> None:
        """Say what is wrong, once while it stays so."""
        failure = described(error)
        if failure != self._failure:
            log.error("indexes not kept", reason=failure)
        self._failure = failure
