"""The index in PostgreSQL: shared by all processes, approximate when large, and clear about what it lacks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text

from nlp_service.errors import DatabaseUnusable
from nlp_service.inference.encoder import normalise
from nlp_service.knowledge.index import pgvector_search, pgvector_table
from nlp_service.knowledge.index.pgvector import MARKER, PgVectorIndex
from nlp_service.knowledge.keys import key_of
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from nlp_service.storage.tables import ArticleVector
from tests.conftest import opened
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, new_article

DIMENSION = 16
MANY = 2000


def _random(count: int, seed: int) -> NDArray[np.float32]:
    return normalise(np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32))


@pytest.fixture
def database(postgres_database: Database) -> Database:
    return postgres_database


@pytest.fixture
def index(database: Database) -> PgVectorIndex:
    return PgVectorIndex(database, FINGERPRINT, DIMENSION)


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return _random(MANY, seed=1)


@pytest.fixture
def graph(
    index: PgVectorIndex, vectors: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PgVectorIndex:
    """An index with MANY vectors that is searched by its graph, unless few are allowed."""
    monkeypatch.setattr(pgvector_table, "APPROXIMATE_FROM", MANY)
    monkeypatch.setattr(pgvector_search, "KEYS_OF_CANDIDATE", 1)
    index.put(range(MANY), vectors)
    index.save(tmp_path)
    return index


def _recall(index: PgVectorIndex, vectors: NDArray[np.float32], allowed: NDArray[np.bool_] | None, k: int) -> float:
    hits = 0
    for query in _random(20, seed=2):
        cosines = vectors @ query
        if allowed is not None:
            cosines[~allowed] = -2
        nearest = set(np.argsort(-cosines)[:k].tolist())
        hits += len(nearest & {key for key, _ in index.search(query, k, allowed)})
    return hits / (20 * k)


class TestShared:
    def test_what_one_process_puts_another_finds(
        self, index: PgVectorIndex, postgres_url: str, vectors: NDArray[np.float32]
    ) -> None:
        index.put([7], vectors[:1])
        with opened(postgres_url) as other:
            assert dict(PgVectorIndex(other, FINGERPRINT, DIMENSION).search(vectors[0], 1)) == pytest.approx({7: 1.0})

    def test_each_encoder_has_vectors_of_its_own(self, index: PgVectorIndex, database: Database) -> None:
        index.put([7], _random(1, seed=1))
        assert len(PgVectorIndex(database, "e" * 64, 2 * DIMENSION)) == 0

    def test_putting_the_same_again_writes_nothing(
        self, index: PgVectorIndex, database: Database, vectors: NDArray[np.float32]
    ) -> None:
        index.put(range(10), vectors[:10])
        rows = text(f"SELECT xmin, key FROM vector_index_{FINGERPRINT[:40]} ORDER BY key")  # noqa: S608
        with database.read() as session:
            before = session.execute(rows).all()
        index.put(range(10), vectors[:10])
        with database.read() as session:
            assert session.execute(rows).all() == before

    def test_a_process_that_lags_does_not_put_an_old_vector_back(
        self, database: Database, encoder: RecordingEncoder
    ) -> None:
        article = ArticleStore(database, encoder, FINGERPRINT).create(new_article())
        with database.read() as session:
            stored = session.get_one(ArticleVector, (article.id, FINGERPRINT)).vector
        current = np.frombuffer(stored, "<f4")
        index = PgVectorIndex(database, FINGERPRINT, len(current))
        index.put([key_of("article", article.id)], -current[None])
        assert index.search(current, 1)[0][1] == pytest.approx(1.0)


def test_a_process_waits_however_long_another_one_takes(postgres_url: str, vectors: NDArray[np.float32]) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    impatient = f"{postgres_url}&options=-c%20lock_timeout%3D1ms%20-c%20statement_timeout%3D100ms"
    with opened(postgres_url) as other, opened(impatient) as database, ThreadPoolExecutor(1) as threads:
        index = PgVectorIndex(database, FINGERPRINT, DIMENSION)
        with other.engine.begin() as holder:
            holder.exec_driver_sql(f"SELECT pg_advisory_xact_lock({pgvector_table.INDEXES})")
            put = threads.submit(index.put, [7], vectors[:1])
            while not holder.scalar(waiting) and not put.done():
                pass
            holder.exec_driver_sql("SELECT pg_sleep(0.2)")
        put.result()
        assert len(index) == 1


def test_a_wide_filter_without_a_graph_is_exact(
    index: PgVectorIndex, vectors: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector_search, "KEYS_OF_CANDIDATE", 1)
    index.put(range(MANY), vectors)
    (query,) = _random(1, seed=4)
    wide = np.ones(MANY * 3 // 4, dtype=bool)
    nearest = np.argsort(-(vectors[: len(wide)] @ query))[:100]
    assert [key for key, _ in index.search(query, 100, wide)] == nearest.tolist()


class TestGraph:
    @pytest.mark.parametrize("k", [10, 100])
    def test_it_finds_nearly_all_that_are_nearest(
        self, graph: PgVectorIndex, vectors: NDArray[np.float32], k: int
    ) -> None:
        assert _recall(graph, vectors, None, k) >= 0.97

    @pytest.mark.parametrize("share", [0.9, 0.5, 0.2, 0.01])
    def test_a_filter_takes_nothing_from_it(
        self, graph: PgVectorIndex, vectors: NDArray[np.float32], share: float
    ) -> None:
        allowed = np.random.default_rng(3).random(MANY) < share
        assert _recall(graph, vectors, allowed, 10) >= 0.97

    def test_a_filter_far_from_the_query_gets_as_many_as_there_are(
        self, graph: PgVectorIndex, vectors: NDArray[np.float32]
    ) -> None:
        (query,) = _random(1, seed=4)
        farthest = np.argsort(vectors @ query)[:50]
        allowed = np.zeros(MANY, dtype=bool)
        allowed[farthest] = True
        assert {key for key, _ in graph.search(query, 100, allowed)} == set(farthest.tolist())

    def test_of_the_quarter_that_is_farthest_from_the_query_the_nearest_are_found(
        self, graph: PgVectorIndex, vectors: NDArray[np.float32]
    ) -> None:
        (query,) = _random(1, seed=4)
        farthest = np.argsort(-(vectors @ query))[-MANY // 4 :]
        allowed = np.zeros(MANY, dtype=bool)
        allowed[farthest] = True
        assert [key for key, _ in graph.search(query, 10, allowed)] == farthest[:10].tolist()

    @pytest.mark.parametrize("share", [1.0, 0.5])
    def test_it_goes_on_where_pgvector_looks_at_fewer_at_once_than_are_wanted(
        self, graph: PgVectorIndex, vectors: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, share: float
    ) -> None:
        monkeypatch.setattr(pgvector_search, "CANDIDATES_LIMIT", 10)
        allowed = np.random.default_rng(3).random(MANY) < share
        assert _recall(graph, vectors, allowed, 10) >= 0.97

    def test_what_is_put_after_it_was_built_is_found(self, graph: PgVectorIndex, vectors: NDArray[np.float32]) -> None:
        graph.put([MANY, 7], -vectors[:2])
        assert dict(graph.search(-vectors[0], 1)) == pytest.approx({MANY: 1.0})
        assert dict(graph.search(-vectors[1], 1)) == pytest.approx({7: 1.0})

    def test_what_is_removed_after_it_was_built_is_not_found(
        self, graph: PgVectorIndex, vectors: NDArray[np.float32]
    ) -> None:
        graph.remove([7])
        assert 7 not in dict(graph.search(vectors[7], 100))

    def test_the_best_come_first(self, graph: PgVectorIndex) -> None:
        cosines = [cosine for _, cosine in graph.search(_random(1, seed=5)[0], 100)]
        assert cosines == sorted(cosines, reverse=True)

    def test_it_is_used(self, graph: PgVectorIndex, database: Database, vectors: NDArray[np.float32]) -> None:
        allowed = np.arange(MANY) % 3 > 0
        graph.search(vectors[0], 10)
        graph.search(vectors[0], 100, allowed)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
            connection.commit()
            scans = text("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE '%_hnsw'")
            assert connection.execute(scans).scalar_one() == 2


def test_a_marker_is_all_that_is_saved(graph: PgVectorIndex, tmp_path: Path) -> None:
    assert len(graph) == MANY
    assert [file.name for file in tmp_path.iterdir()] == [MARKER]


def test_opening_again_finds_everything(graph: PgVectorIndex, database: Database) -> None:
    assert len(PgVectorIndex(database, FINGERPRINT, DIMENSION)) == len(graph) == MANY


class TestMissing:
    @pytest.fixture
    def without_rights(self, database: Database, postgres_url: str) -> Iterator[Database]:
        """The database of the test, opened by somebody who may create nothing in it."""
        with database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE ROLE guest LOGIN")
        with opened(postgres_url.replace("postgres@", "guest@")) as opened_by_guest:
            yield opened_by_guest
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP ROLE guest")

    def test_a_missing_right_is_named_with_what_to_run(self, without_rights: Database) -> None:
        with pytest.raises(DatabaseUnusable, match=r"permission denied.*CREATE EXTENSION vector"):
            PgVectorIndex(without_rights, FINGERPRINT, DIMENSION)

    def test_an_extension_that_is_too_old_is_named(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pgvector_table, "OLDEST", (99, 0))
        with pytest.raises(DatabaseUnusable, match=r"pgvector 99\.0 or newer is not available \(pgvector 0\."):
            PgVectorIndex(database, FINGERPRINT, DIMENSION)
