"""The engine that answers now: replaced while requests are under way, closed when nothing needs it."""

import errno
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nlp_service.errors import BundleError, Overloaded
from nlp_service.inference.batching import Batcher
from nlp_service.inference.engine import Engine
from nlp_service.inference.head import TEST_ANSWERS_FILE, WEIGHTS_FILE
from nlp_service.inference.live import LiveEngine, keep_engine
from nlp_service.inference.release import RELEASE_FILE, read_release, write_release
from tests.releases import (
    copy_bundles,
    copy_head,
    move_to_own_encoder,
    promote,
    promote_search,
    replace_file,
    serving_head,
    turn_head,
    wait_for_closing,
)

TEXTS = ["又闪退了，三次没保存", "能不能支持深色模式"] * 8


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return copy_bundles(tmp_path)


@pytest.fixture
def live(bundles: Path, engine: Engine) -> LiveEngine:
    """Its first engine shares the encoders of the tests' engine, which therefore must not be closed."""

    def load(previous: Engine | None) -> Engine:
        return Engine.load(bundles, threads=2, previous=previous or engine)

    return LiveEngine.start(load, bundles)


class SlowIndex:
    """An index that is ready when it is told, or fails, or stops when it is no longer wanted."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.failure: Exception | None = None
        self.prepared: list[str] = []
        self.in_use: Callable[[], Collection[str]] = list

    def prepare(self, engine: Engine, cancelled: Callable[[], bool]) -> None:
        self.begun.set()
        while not cancelled() and not self.go.wait(0.01):
            pass
        if self.failure is not None:
            raise self.failure
        self.prepared.append(engine.search_model.fingerprint)

    def keep_only(self, in_use: Callable[[], Collection[str]]) -> None:
        self.in_use = in_use

    def finish(self, live: LiveEngine) -> None:
        """Be ready, and return when the engine has noticed."""
        self.go.set()
        live.wait_for_search(30)


def _search_encoder(live: LiveEngine) -> str:
    with live.lease() as engine:
        return engine.search_model.fingerprint


def _version(live: LiveEngine) -> str:
    with live.lease() as engine:
        return engine.model("classify").version


def _own(engine: Engine) -> Batcher:
    return engine.batchers[engine.model("classify").encoder.fingerprint]


def _roll_back(bundles: Path) -> None:
    write_release(bundles, read_release(bundles).rolled_back("classify"))


class TestReload:
    def test_what_was_promoted_answers(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        live.reload()
        assert _version(live) == "second"

    def test_what_is_promoted_while_the_first_engine_is_loaded_is_not_missed(
        self, bundles: Path, engine: Engine
    ) -> None:
        second = copy_head(bundles, "classify", "second")

        def load(previous: Engine | None) -> Engine:
            loaded = Engine.load(bundles, threads=2, previous=previous or engine)
            if previous is None:
                promote(bundles, "classify", second)
            return loaded

        live = LiveEngine.start(load, bundles)
        assert live.changed
        live.reload()
        assert _version(live) == "second"
        assert not live.changed

    def test_the_other_tasks_stay(self, live: LiveEngine, bundles: Path, engine: Engine) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        live.reload()
        with live.lease() as current:
            assert current.model("sentiment") == engine.model("sentiment")

    def test_what_was_rolled_back_answers_no_more(self, live: LiveEngine, bundles: Path) -> None:
        first = _version(live)
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        live.reload()
        _roll_back(bundles)
        live.reload()
        assert _version(live) == first

    def test_encoders_that_did_not_change_are_not_loaded_again(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        with live.lease() as old:
            live.reload()
            with live.lease() as new:
                assert new is not old
                assert all(new.batchers[name] is batcher for name, batcher in old.batchers.items())
                assert set(new.batchers) == set(old.batchers)

    def test_encoders_that_are_shared_go_on(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        live.reload()
        wait_for_closing()
        with live.lease() as current:
            assert current.alive

    def test_a_release_whose_search_encoder_is_missing_is_refused(self, live: LiveEngine, bundles: Path) -> None:
        parts = {"search": "encoders/search-another"}
        write_release(bundles, read_release(bundles).changed("promote", "search", parts))
        with pytest.raises(BundleError, match="search-another"):
            live.reload()


class TestSearchEncoder:
    """A release with another search encoder, whose index takes its time."""

    @pytest.fixture
    def live(self, bundles: Path, engine: Engine) -> Iterator[LiveEngine]:
        """Its search encoder, which is closed when another one takes over, has a thread of its own."""
        own = Batcher(engine.search.encoder)

        def load(previous: Engine | None) -> Engine:
            return Engine.load(bundles, threads=2, previous=previous or engine.searching_with(own))

        yield LiveEngine.start(load, bundles)
        own.close()

    @pytest.fixture
    def index(self, live: LiveEngine) -> SlowIndex:
        live.index = SlowIndex()
        return live.index

    def test_the_new_heads_answer_at_once(self, live: LiveEngine, bundles: Path, index: SlowIndex) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        promote_search(bundles)
        live.reload()
        index.begun.wait(30)
        assert _version(live) == "second"
        index.finish(live)

    def test_the_old_one_answers_until_the_index_is_there(
        self, live: LiveEngine, bundles: Path, index: SlowIndex
    ) -> None:
        before = _search_encoder(live)
        promote_search(bundles)
        live.reload()
        index.begun.wait(30)
        during = _search_encoder(live)
        index.finish(live)
        assert (during, _search_encoder(live)) == (before, index.prepared[0])

    def test_an_index_that_cannot_be_built_leaves_the_old_one(
        self, live: LiveEngine, bundles: Path, index: SlowIndex
    ) -> None:
        before = _search_encoder(live)
        index.failure = OSError(errno.ENOSPC, "no space left")
        promote_search(bundles)
        live.reload()
        with capture_logs() as logs:
            index.finish(live)
        assert _search_encoder(live) == before
        assert [entry["reason"] for entry in logs if entry["log_level"] == "error"] == ["OSError: no space left"]

    def test_a_release_that_takes_it_back_stops_the_preparation(
        self, live: LiveEngine, bundles: Path, index: SlowIndex
    ) -> None:
        before = _search_encoder(live)
        first = read_release(bundles)
        promote_search(bundles)
        live.reload()
        index.begun.wait(30)
        write_release(bundles, first)
        live.reload()
        wait_for_closing()
        with live.lease() as engine:
            assert (engine.search_model.fingerprint, engine.alive) == (before, True)

    def test_the_old_one_is_kept_for_requests_that_began_with_it(
        self, live: LiveEngine, bundles: Path, index: SlowIndex
    ) -> None:
        promote_search(bundles)
        with live.lease() as old:
            live.reload()
            index.finish(live)
            wait_for_closing()
            assert old.encode_passages(TEXTS).shape == (len(TEXTS), old.search_model.dimension)
            assert old.search_model.fingerprint in index.in_use()


class TestFailure:
    def _fails(self, live: LiveEngine) -> str:
        with pytest.raises(BundleError) as raised:
            live.reload()
        return str(raised.value)

    def test_the_old_engine_goes_on(self, live: LiveEngine, bundles: Path) -> None:
        folder = copy_head(bundles, "classify", "second")
        (folder / WEIGHTS_FILE).write_bytes(b"damaged")
        promote(bundles, "classify", folder)
        with live.lease() as old:
            self._fails(live)
            with live.lease() as current:
                assert current is old
        wait_for_closing()
        assert len(old.analyse(TEXTS)) == len(TEXTS)

    def test_a_damaged_file_is_named(self, live: LiveEngine, bundles: Path) -> None:
        folder = copy_head(bundles, "classify", "second")
        (folder / WEIGHTS_FILE).write_bytes(b"damaged")
        promote(bundles, "classify", folder)
        assert "classify-second/head.safetensors" in self._fails(live)

    def test_wrong_test_answers_are_refused(self, live: LiveEngine, bundles: Path) -> None:
        folder = turn_head(bundles, "classify", "second")
        replace_file(folder, TEST_ANSWERS_FILE, (serving_head(bundles, "classify") / TEST_ANSWERS_FILE).read_bytes())
        promote(bundles, "classify", folder)
        assert "test answers" in self._fails(live)

    def test_a_file_that_is_no_tensor_file_is_refused_though_its_checksum_is_right(
        self, live: LiveEngine, bundles: Path
    ) -> None:
        folder = copy_head(bundles, "classify", "second")
        replace_file(folder, WEIGHTS_FILE, b"no tensors")
        promote(bundles, "classify", folder)
        assert "Safetensor" in self._fails(live)

    def test_a_broken_release_is_refused(self, live: LiveEngine, bundles: Path) -> None:
        (bundles / RELEASE_FILE).write_text("{", "utf-8")
        assert RELEASE_FILE in self._fails(live)

    def test_a_missing_release_is_refused(self, live: LiveEngine, bundles: Path) -> None:
        (bundles / RELEASE_FILE).unlink()
        assert "nlp-service models build" in self._fails(live)

    def test_the_next_release_is_taken(self, live: LiveEngine, bundles: Path) -> None:
        (bundles / RELEASE_FILE).rename(bundles / "release.away")
        self._fails(live)
        (bundles / "release.away").rename(bundles / RELEASE_FILE)
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        live.reload()
        assert _version(live) == "second"

    def test_an_engine_that_was_given_is_not_replaced(self, bundles: Path, engine: Engine) -> None:
        given = LiveEngine(engine, keep_engine, bundles)
        assert "given by the caller" in self._fails(given)


class TestLease:
    def test_a_request_finishes_on_the_engine_that_it_began_with(self, live: LiveEngine, bundles: Path) -> None:
        first = _version(live)
        promote(bundles, "classify", turn_head(bundles, "classify", "second"))
        with live.lease() as engine:
            expected = [kind.label for _, kind in engine.analyse(TEXTS)]
            live.reload()
            assert engine.model("classify").version == first
            assert [kind.label for _, kind in engine.analyse(TEXTS)] == expected

    def test_a_request_that_waits_for_its_encoder_is_answered(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", move_to_own_encoder(bundles, copy_head(bundles, "classify", "own")))
        live.reload()
        _roll_back(bundles)
        with live.lease() as engine:
            passes = engine.submit(TEXTS * 16, ["classify"])
            live.reload()
            (vectors,) = (future.result(timeout=60) for future in passes.values())
        assert len(vectors) == len(TEXTS) * 16

    def test_an_encoder_that_nothing_names_any_more_is_open_until_its_last_request_ended(
        self, live: LiveEngine, bundles: Path
    ) -> None:
        promote(bundles, "classify", move_to_own_encoder(bundles, copy_head(bundles, "classify", "own")))
        live.reload()
        _roll_back(bundles)
        with live.lease() as engine:
            with live.lease() as same:
                assert same is engine
                live.reload()
            wait_for_closing()
            assert _own(engine).alive
            assert len(engine.analyse(TEXTS)) == len(TEXTS)
        wait_for_closing()
        assert not _own(engine).alive

    def test_an_encoder_that_no_request_uses_is_closed_with_the_reload(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", move_to_own_encoder(bundles, copy_head(bundles, "classify", "own")))
        live.reload()
        with live.lease() as engine:
            own = _own(engine)
        _roll_back(bundles)
        live.reload()
        wait_for_closing()
        assert not own.alive

    def test_an_engine_two_reloads_back_is_open_until_its_request_ended(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", move_to_own_encoder(bundles, copy_head(bundles, "classify", "own")))
        live.reload()
        with live.lease() as engine:
            _roll_back(bundles)
            live.reload()
            promote(bundles, "sentiment", copy_head(bundles, "sentiment", "second"))
            live.reload()
            wait_for_closing()
            assert _own(engine).alive
        wait_for_closing()
        assert not _own(engine).alive

    def test_a_request_that_fails_gives_its_engine_back(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", move_to_own_encoder(bundles, copy_head(bundles, "classify", "own")))
        live.reload()
        with live.lease() as engine:
            own = _own(engine)
        _roll_back(bundles)

        def fail() -> None:
            with live.lease():
                live.reload()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        wait_for_closing()
        assert not own.alive


class TestClose:
    @pytest.fixture
    def closable(self, bundles: Path, engine: Engine) -> Engine:
        """An engine that shares no encoder with the tests' engine."""
        promote(bundles, "classify", move_to_own_encoder(bundles, copy_head(bundles, "classify", "own")))
        divided = Engine.load(bundles, threads=2, previous=engine)
        return Engine(_own(divided), {}, divided.heads)

    def test_the_engine_is_closed(self, bundles: Path, closable: Engine) -> None:
        LiveEngine(closable, keep_engine, bundles).close()
        assert not closable.alive

    def test_an_engine_that_is_just_being_loaded_is_closed(self, bundles: Path, closable: Engine) -> None:
        begun, go = threading.Event(), threading.Event()

        def load(_: Engine | None) -> Engine:
            begun.set()
            go.wait(30)
            return closable

        first = Engine(Batcher(closable.search.encoder), {}, closable.heads)
        live = LiveEngine(first, load, bundles)
        reloading, closing = threading.Thread(target=live.reload), threading.Thread(target=live.close)
        reloading.start()
        begun.wait(30)
        closing.start()
        go.set()
        for thread in (reloading, closing):
            thread.join(30)
        assert not closable.alive


class TestChanged:
    def test_a_release_that_was_loaded_is_not_changed(self, live: LiveEngine) -> None:
        assert not live.changed

    def test_a_release_that_was_replaced_is_changed(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        assert live.changed

    def test_a_reload_takes_the_change(self, live: LiveEngine, bundles: Path) -> None:
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        live.reload()
        assert not live.changed

    def test_a_release_that_cannot_be_loaded_is_not_tried_again(self, live: LiveEngine, bundles: Path) -> None:
        (bundles / RELEASE_FILE).write_text("{", "utf-8")
        with pytest.raises(BundleError):
            live.reload()
        assert not live.changed

    def test_a_release_that_an_encoder_had_no_time_to_check_is_tried_again(self, bundles: Path, engine: Engine) -> None:
        def busy(_: Engine | None) -> Engine:
            raise Overloaded("full", retry_after=1)

        live = LiveEngine(engine, busy, bundles)
        promote(bundles, "classify", copy_head(bundles, "classify", "second"))
        with pytest.raises(Overloaded):
            live.reload()
        assert live.changed
