"""Ways in which a snapshot cannot be used, each with what the log says."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import delete, update

from nlp_service.knowledge.manifest import MANIFEST
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleChange

Damage = Callable[[Path, Database], None]


def _edit(snapshot: Path, **changes: object) -> None:
    manifest = json.loads((snapshot / MANIFEST).read_text("utf-8"))
    (snapshot / MANIFEST).write_text(json.dumps({**manifest, **changes}), "utf-8")


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _a_flipped_bit_in_the_terms(snapshot: Path, _: Database) -> None:
    _flip(snapshot / "terms" / "slots.npy")


def _a_flipped_bit_in_the_facets(snapshot: Path, _: Database) -> None:
    _flip(snapshot / "facets" / "facets.npz")


def _a_truncated_file(snapshot: Path, _: Database) -> None:
    file = snapshot / "terms" / "text.npy"
    file.write_bytes(file.read_bytes()[:-4])


def _a_missing_file(snapshot: Path, _: Database) -> None:
    (snapshot / "terms" / "keys.npy").unlink()


def _a_file_too_many(snapshot: Path, _: Database) -> None:
    (snapshot / "facets" / "more.npy").touch()


def _a_missing_part(snapshot: Path, _: Database) -> None:
    shutil.rmtree(snapshot / "facets")


def _a_missing_manifest(snapshot: Path, _: Database) -> None:
    (snapshot / MANIFEST).unlink()


def _a_truncated_manifest(snapshot: Path, _: Database) -> None:
    (snapshot / MANIFEST).write_bytes((snapshot / MANIFEST).read_bytes()[:100])


def _another_format(snapshot: Path, _: Database) -> None:
    _edit(snapshot, format="0")


def _another_count(snapshot: Path, _: Database) -> None:
    _edit(snapshot, records=4)


def _another_database(_: Path, database: Database) -> None:
    with database.write() as session:
        session.execute(update(ArticleChange).values(mark=1))


def _a_database_that_lags(_: Path, database: Database) -> None:
    with database.write() as session:
        session.execute(delete(ArticleChange).where(ArticleChange.sequence == 3))


def _a_flipped_bit_in_the_vectors(snapshot: Path, _: Database) -> None:
    _flip(snapshot / "vectors" / "recent_vectors.npy")


def _missing_vectors(snapshot: Path, _: Database) -> None:
    shutil.rmtree(snapshot / "vectors")


def _a_truncated_base(snapshot: Path, _: Database) -> None:
    file = snapshot / "vectors" / "vectors.faiss"
    file.write_bytes(file.read_bytes()[:-4])


def _another_encoder(snapshot: Path, _: Database) -> None:
    _edit(snapshot, encoder="e" * 64)


def _another_dimension(snapshot: Path, _: Database) -> None:
    _edit(snapshot, dimension=768)


OF_ALL: Mapping[Damage, str] = {
    _a_flipped_bit_in_the_terms: "terms/slots.npy",
    _a_flipped_bit_in_the_facets: "facets/facets.npz",
    _a_truncated_file: "terms/text.npy",
    _a_missing_file: "terms",
    _a_file_too_many: "facets",
    _a_missing_part: "facets",
    _a_missing_manifest: "manifest.json",
    _a_truncated_manifest: "manifest.json",
    _another_format: "format",
    _another_count: "4 are said",
    _another_database: "another database",
    _a_database_that_lags: "the database only 2",
}
OF_VECTORS: Mapping[Damage, str] = {
    _a_flipped_bit_in_the_vectors: "vectors/recent_vectors.npy",
    _missing_vectors: "vectors",
    _a_truncated_base: "vectors/vectors.faiss",
    _another_encoder: "another encoder: eeee",
    _another_dimension: "768 dimensions",
}


def name_of(damage: Damage) -> str:
    """For the names of tests."""
    return damage.__name__.strip("_").replace("_", " ")
