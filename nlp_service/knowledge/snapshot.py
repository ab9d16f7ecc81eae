"""Snapshots: the indexes in files, so that a start reads them and then only what has changed since.

A snapshot lies in ``var/index/<encoder>/<name>`` with a ``manifest.json`` that says what it holds. It is written beside
and renamed in one step. The database is the truth: a snapshot that is damaged, or that belongs to another database, is
refused and deleted. Terms and facets need no encoder: they are taken where only the vectors do not fit.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from nlp_service.errors import IndexDamaged
from nlp_service.inference.bundle import sha256
from nlp_service.inference.locking import exclusive
from nlp_service.knowledge.followed import Sequences, State
from nlp_service.knowledge.indexes import FACETS, TERMS, TextIndexes
from nlp_service.knowledge.keys import Kind
from nlp_service.knowledge.manifest import FORMAT, MANIFEST, Manifest, Position, check_files, read_manifest
from nlp_service.knowledge.sources import SOURCES, last_changes
from nlp_service.knowledge.space import VectorSpace
from nlp_service.storage.database import Database

VECTORS, PARTIAL = "vectors", ".partial-"
ABANDONED_SECONDS = 3600
log = structlog.get_logger()


@dataclass(frozen=True)
class Opened:
    """What was good of a snapshot."""

    text: TextIndexes
    sequences: Sequences
    has_vectors: bool


class Snapshots:
    """Those of one encoder's space. May be used by several processes."""

    def __init__(self, folder: Path, database: Database, space: VectorSpace) -> None:
        """`folder` holds the snapshots of all encoders, each in a folder named by its fingerprint."""
        self._all = folder
        self._folder = folder / space.fingerprint
        self._database = database
        self._space = space

    def open(self) -> Opened | None:
        """The newest that is good, with the vectors put into the space; else text indexes alone, of any encoder."""
        others = (folder for folder in _folders(self._all) if folder != self._folder)
        for folder in (self._folder, *others):
            for snapshot in sorted(_folders(folder), reverse=True):
                try:
                    return self._open(snapshot)
                except IndexDamaged as error:
                    _refuse(snapshot, error)
        return None

    def saved_at(self) -> float | None:
        """When the newest was saved, in seconds since 1970; None without one."""
        newest = max(_folders(self._folder), default=None)
        return int(newest.name) / 1e9 if newest is not None and newest.name.isdecimal() else None

    def save(self, state: State, *, unless_within: int = -1) -> bool:
        """Write a snapshot and delete older ones; not when another process has one that lacks at most so many changes.

        Raises OSError when it cannot be written; then nothing is left of it.
        """
        with exclusive(self._folder):
            changes = self._positions(state.sequences)
            if self._lag_of_newest(changes) <= unless_within:
                return False
            partial = self._folder / f"{PARTIAL}{secrets.token_hex(8)}"
            try:
                self._write(partial, state, changes)
                name = f"{time.time_ns():020d}"
                partial.rename(self._folder / name)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            _sync(self._folder)
            for older in _folders(self._folder):
                if older.name != name:
                    shutil.rmtree(older, ignore_errors=True)
            self._delete_abandoned()
        log.info("snapshot saved", encoder=self._space.fingerprint[:12], records=len(state.text), **state.sequences)
        return True

    def _open(self, snapshot: Path) -> Opened:
        manifest = read_manifest(snapshot)
        self._check_database(manifest)
        check_files(snapshot, manifest, TERMS, FACETS)
        text = TextIndexes.open(snapshot)
        if len(text) != manifest.records:
            raise IndexDamaged(f"条数不符 · {len(text)} records, but {manifest.records} are said to be there")
        has_vectors = False
        if snapshot.parent == self._folder:
            try:
                self._open_vectors(snapshot, manifest)
                has_vectors = True
            except IndexDamaged as error:
                _refuse(snapshot / VECTORS, error)
        sequences = {kind: position.sequence for kind, position in manifest.changes.items()}
        log.info("snapshot opened", snapshot=snapshot.name, records=len(text), vectors=has_vectors, **sequences)
        return Opened(text, sequences, has_vectors)

    def _check_database(self, manifest: Manifest) -> None:
        with self._database.read() as session:
            last = last_changes(session)
            for source in SOURCES:
                held = manifest.changes[source.kind]
                if held.sequence > last[source.kind]:
                    raise IndexDamaged(
                        f"比数据库新 · holds change {held.sequence}, the database only {last[source.kind]}"
                    )
                if held.sequence and source.mark_of(session, held.sequence) != held.mark:
                    raise IndexDamaged(f"属于另一数据库 · of another database: change {held.sequence} is another one")

    def _open_vectors(self, snapshot: Path, manifest: Manifest) -> None:
        found, needed = (manifest.encoder, manifest.dimension), (self._space.fingerprint, self._space.dimension)
        if found != needed:
            raise IndexDamaged(f"属于另一编码器 · of another encoder: {found[0][:12]} with {found[1]} dimensions")
        check_files(snapshot, manifest, VECTORS)
        self._space.open(snapshot / VECTORS)

    def _positions(self, sequences: Sequences) -> dict[Kind, Position]:
        with self._database.read() as session:
            return {
                source.kind: Position(
                    sequence=sequences[source.kind], mark=source.mark_of(session, sequences[source.kind])
                )
                for source in SOURCES
            }

    def _lag_of_newest(self, changes: dict[Kind, Position]) -> float:
        """How many changes the newest snapshot lacks; infinity where there is none of this database."""
        newest = max(_folders(self._folder), default=None)
        if newest is None:
            return float("inf")
        try:
            manifest = read_manifest(newest)
            self._check_database(manifest)
        except IndexDamaged:
            return float("inf")
        if not (newest / VECTORS).is_dir():
            return float("inf")
        return sum(max(0, changes[kind].sequence - held.sequence) for kind, held in manifest.changes.items())

    def _write(self, folder: Path, state: State, changes: dict[Kind, Position]) -> None:
        folder.mkdir()
        state.text.save(folder)
        (folder / VECTORS).mkdir()
        state.vectors.save(folder / VECTORS)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        manifest = Manifest(
            format=FORMAT,
            encoder=self._space.fingerprint,
            dimension=self._space.dimension,
            changes=changes,
            records=len(state.text),
            files={file.relative_to(folder).as_posix(): sha256(file) for file in files},
        )
        (folder / MANIFEST).write_text(json.dumps(manifest.model_dump(), indent=1) + "\n", "utf-8")
        for written in (*files, folder / MANIFEST, folder / TERMS, folder / FACETS, folder / VECTORS, folder):
            _sync(written)

    def _delete_abandoned(self) -> None:
        """What a process left that was killed while it wrote."""
        for partial in self._folder.glob(f"{PARTIAL}*"):
            if time.time() - partial.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)


def _folders(folder: Path) -> Iterator[Path]:
    """The folders in a folder that have a name of their own: none that is still being written."""
    if folder.is_dir():
        yield from (one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))


def _refuse(part: Path, error: IndexDamaged) -> None:
    """Say why, and delete a snapshot or its vectors, unless another process just did."""
    log.warning("snapshot refused", part="/".join(part.parts[-2:]), reason=str(error))
    shutil.rmtree(part, ignore_errors=True)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
