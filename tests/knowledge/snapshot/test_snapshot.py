"""A start opens the last snapshot and replays what has changed since; a crash loses nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleUpdate
from nlp_service.knowledge.keeper import WORTH_SAVING
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.snapshot import ABANDONED_SECONDS, PARTIAL
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database
from tests.conftest import BUNDLES
from tests.knowledge.conftest import new_article
from tests.knowledge.snapshot.conftest import ARTICLES, STATUSES, Find

KILLED = """
import os, signal, sys
from pathlib import Path
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.searches import Searches
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.database import Database

url, folder, bundles = sys.argv[1:]
database, engine = Database(url), Engine.load(Path(bundles), threads=1)
Searches(database, Path(folder), ("draft",)).start(engine)
store = ArticleStore(database, engine.encode_passages, engine.search_model.fingerprint)
store.create(ArticleCreate(external_id="camera", title="摄像头黑屏", problem="打开摄像头没有画面", solution="换接口"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def _ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def many(store: ArticleStore) -> None:
    """Enough articles to be worth saving."""
    store.import_articles([new_article(external_id=f"n{number}") for number in range(WORTH_SAVING)])


def _opened(searches: Searches, engine: Engine) -> list[bool]:
    """Of each snapshot that a start opens, whether its vectors were taken."""
    with capture_logs() as logs:
        searches.load(engine)
    return [entry["vectors"] for entry in logs if entry["event"] == "snapshot opened"]


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
@pytest.mark.usefixtures("snapshot")
class TestOpened:
    @pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
    def test_it_finds_what_was_found_when_it_was_saved(
        self, snapshot: Path, database: Database, engine: Engine, find: Find, mode: str
    ) -> None:
        built = Searches(database, snapshot.parent / "none", STATUSES).load(engine)
        opened = Searches(database, snapshot.parents[1], STATUSES).load(engine)
        assert find(opened, "打印机 脱机", mode) == find(built, "打印机 脱机", mode)

    def test_nothing_is_encoded(self, searches: Searches, engine: Engine) -> None:
        before = engine.search.encoder.passes
        assert _opened(searches, engine) == [True]
        assert engine.search.encoder.passes == before

    def test_what_was_created_since_is_found(
        self, searches: Searches, engine: Engine, store: ArticleStore, find: Find
    ) -> None:
        store.create(new_article(external_id="camera", title="摄像头黑屏", problem="没有画面"))
        assert find(searches.load(engine), "摄像头没有画面", "dense")[0][0] == "camera"

    @pytest.mark.parametrize("mode", ["dense", "lexical"])
    def test_what_was_deleted_since_is_not_found(
        self, searches: Searches, engine: Engine, store: ArticleStore, find: Find, mode: str
    ) -> None:
        store.delete(_number(store, "invoice"))
        assert "invoice" not in [name for name, _ in find(searches.load(engine), "发票", mode)]

    def test_what_was_changed_since_is_found_by_its_new_vector(
        self, searches: Searches, engine: Engine, store: ArticleStore, find: Find
    ) -> None:
        changed = ArticleUpdate(title="摄像头黑屏", problem="没有画面", solution="重新插拔")
        store.update(_number(store, "invoice"), changed)
        assert find(searches.load(engine), "摄像头没有画面", "dense")[0][0] == "invoice"


def test_a_process_that_was_killed_after_a_commit_loses_nothing(
    snapshot: Path, searches: Searches, database: Database, engine: Engine, find: Find
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", KILLED, url, str(snapshot.parents[1]), str(BUNDLES)]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert killed.returncode == -9, killed.stderr
    search = searches.load(engine)
    assert [find(search, "摄像头", mode)[0][0] for mode in ("dense", "lexical")] == ["camera", "camera"]


def test_another_process_sees_a_change_with_its_next_search(
    snapshot: Path, database: Database, engine: Engine, store: ArticleStore, find: Find
) -> None:
    processes = [Searches(database, snapshot.parents[1], STATUSES).load(engine) for _ in range(2)]
    store.create(new_article(external_id="camera", title="摄像头黑屏"))
    assert [find(process, "摄像头")[0][0] for process in processes] == ["camera", "camera"]


def test_the_terms_are_taken_from_the_snapshot_of_another_encoder(
    snapshot: Path, searches: Searches, engine: Engine, find: Find
) -> None:
    snapshot.parent.rename(snapshot.parents[1] / ("e" * 64))
    with capture_logs() as logs:
        search = searches.load(engine)
    assert [entry["vectors"] for entry in logs if entry["event"] == "snapshot opened"] == [False]
    assert find(search, "没有墨水了", "dense")[0][0] == "printer"


def test_an_open_one_may_be_deleted(
    snapshot: Path, searches: Searches, database: Database, engine: Engine, find: Find
) -> None:
    opened = searches.load(engine)
    before = find(opened, "打印机 脱机")
    Searches(database, snapshot.parents[1], STATUSES).rebuild(engine, _ignore)
    assert (snapshot.exists(), find(opened, "打印机 脱机")) == (False, before)


def test_one_that_was_not_finished_is_not_opened(snapshot: Path, searches: Searches, engine: Engine) -> None:
    snapshot.rename(snapshot.with_name(f"{PARTIAL}1"))
    assert _opened(searches, engine) == []


def test_what_a_killed_process_left_is_deleted_later(
    snapshot: Path, searches: Searches, engine: Engine, store: ArticleStore
) -> None:
    left, lately = snapshot.with_name(f"{PARTIAL}1"), snapshot.with_name(f"{PARTIAL}2")
    for folder in (left, lately):
        folder.mkdir()
    os.utime(left, (0, lately.stat().st_mtime - 2 * ABANDONED_SECONDS))
    store.create(new_article())
    searches.rebuild(engine, _ignore)
    assert (left.exists(), lately.exists()) == (False, True)


@pytest.mark.usefixtures("many")
def test_one_that_another_process_saved_is_not_saved_again(folder: Path, database: Database, engine: Engine) -> None:
    first, second = (Searches(database, folder, STATUSES) for _ in range(2))
    for process in (first, second):
        process.start(engine)
    with capture_logs() as logs:
        for process in (first, second):
            process.close()
    assert [entry["event"] for entry in logs].count("snapshot saved") == 1


def test_a_disk_without_room_leaves_the_old_one(
    snapshot: Path, searches: Searches, engine: Engine, store: ArticleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    store.create(new_article())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        searches.rebuild(engine, _ignore)
    assert [one.name for one in snapshot.parent.iterdir() if one.is_dir()] == [snapshot.name]


@pytest.mark.usefixtures("many")
def test_a_process_that_ends_saves_what_takes_long_to_replay(
    searches: Searches, folder: Path, database: Database, engine: Engine
) -> None:
    searches.start(engine)
    searches.close()
    assert _opened(Searches(database, folder, STATUSES), engine) == [True]


def test_a_process_that_ends_saves_no_few_changes(
    searches: Searches, folder: Path, engine: Engine, store: ArticleStore
) -> None:
    store.import_articles(ARTICLES)
    searches.start(engine)
    searches.close()
    assert not folder.exists()


def _number(store: ArticleStore, external_id: str) -> int:
    (found,) = (article.id for article in store.page()[0] if article.external_id == external_id)
    return found
