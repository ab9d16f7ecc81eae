"""The compiled forward pass: what it gives, alone and together, by one thread and by several."""

import gc
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nlp_service.inference.kernel.library import library
from nlp_service.inference.kernel.session import KernelSession
from nlp_service.inference.processor import CPU_FLAGS
from tests.inference.kernel.compiled import compiled
from tests.inference.kernel.small import HIDDEN, LONGEST, VOCABULARY, SmallEncoder
from tests.tasks import tasks

RANDOM = np.random.default_rng(11)


def _rows(lengths: list[int]) -> list[list[int]]:
    return [RANDOM.integers(0, VOCABULARY, length).tolist() for length in lengths]


@pytest.fixture(scope="module")
def small() -> SmallEncoder:
    return SmallEncoder(3)


@pytest.fixture(params=[1, 2, 5], ids=["callers compute", "two threads", "five threads"])
def session(small: SmallEncoder, request: pytest.FixtureRequest) -> KernelSession:
    return KernelSession(small.weights(), request.param)


@pytest.mark.skipif(shutil.which("cc") is None or not CPU_FLAGS.exists(), reason="needs Linux and a compiler")
def test_it_is_there_where_the_processor_can_run_it() -> None:
    assert find_spec("nlp_service.inference.kernel._forward") is not None
    needed = {"avx512f", "avx512bw", "avx512vl", "avx512_vnni", "fma"}
    assert (library() is not None) == (needed <= set(CPU_FLAGS.read_text("ascii", errors="replace").split()))


@compiled
def test_one_that_lacks_a_function_was_compiled_before_and_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks_one(_: object) -> None:
        raise AttributeError("undefined symbol: pool_begin")

    monkeypatch.setattr("nlp_service.inference.kernel.library._declare", lacks_one)
    assert library.__wrapped__() is None


@compiled
class TestVectors:
    @pytest.mark.parametrize(
        "length", [1, 2, 5, 6, 7, 15, 16, 17, 33, 48, 49, 63, 64, 65, 79, 80, 81, 128, 130, 257, LONGEST]
    )
    def test_they_are_what_the_definition_gives(self, small: SmallEncoder, session: KernelSession, length: int) -> None:
        (row,) = _rows([length])
        expected = small.encode(row)  # a code more or less, where one lies between two, moves all that comes after it
        assert np.linalg.norm(session.run([row])[0] - expected) < 0.01 * np.linalg.norm(expected)

    @pytest.mark.parametrize("length", [64, 65, 80, 81, 130, 257, LONGEST])
    def test_attention_may_multiply_floats_alone(self, small: SmallEncoder, length: int) -> None:
        """As it does for short texts, and where the processor has no products of 16-bit floats."""
        (row,) = _rows([length])
        expected = small.encode(row)
        found = KernelSession(small.weights(), 1, halves=False).run([row])[0]
        assert np.linalg.norm(found - expected) < 0.01 * np.linalg.norm(expected)

    def test_attention_of_long_texts_is_rounded_where_the_processor_gains_by_it(self, small: SmallEncoder) -> None:
        rows = _rows([5, 63, 64, 200])
        both = [KernelSession(small.weights(), 1, halves=halves).run(rows) for halves in (True, False)]
        known = CPU_FLAGS.read_text("ascii", errors="replace").split()
        changed = [not np.array_equal(*vectors) for vectors in zip(*both, strict=True)]
        assert changed == [False, False, *["avx512_bf16" in known] * 2]

    def test_quantising_what_matrices_read_moves_them_little(self, small: SmallEncoder) -> None:
        rows = _rows([12, 30])
        for found, row in zip(KernelSession(small.weights(), 1).run(rows), rows, strict=True):
            expected = small.encode(row, quantised=False)
            assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.999

    def test_they_do_not_depend_on_what_is_computed_beside(self, session: KernelSession) -> None:
        rows = _rows([*range(1, 140), *range(LONGEST, 240, -1), 1, 1, LONGEST])
        together = session.run(rows)
        assert all(np.array_equal(session.run([row])[0], vector) for row, vector in zip(rows, together, strict=True))

    def test_equal_numbers_are_quantised_too(self) -> None:
        flat = SmallEncoder(4)
        flat.embedded = (np.zeros(HIDDEN), np.full(HIDDEN, 0.7))
        (row,) = _rows([9])
        found = KernelSession(flat.weights(), 1).run([row])[0]
        assert np.isfinite(found).all()
        assert found == pytest.approx(flat.encode(row, quantised=False), abs=0.05)

    def test_nothing_gives_nothing(self, session: KernelSession) -> None:
        assert session.run([]).shape == (0, HIDDEN)


@compiled
class TestThreads:
    def test_those_that_ask_at_once_get_what_each_would_get_alone(self, session: KernelSession) -> None:
        batches = [_rows([1 + number % LONGEST, 7, 20] * 12) for number in range(60)]
        alone = [session.run(rows) for rows in batches]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(session.run, batches))
        assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))

    @pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="needs Linux")
    @pytest.mark.parametrize("threads", [1, 3])
    def test_several_give_way_and_all_end_with_the_session(self, small: SmallEncoder, threads: int) -> None:
        before = tasks()
        session = KernelSession(small.weights(), threads)
        made = tasks() - before - {thread.native_id for thread in threading.enumerate()}
        assert len(made) == threads
        policy = os.SCHED_IDLE if threads > 1 else os.sched_getscheduler(0)
        assert {os.sched_getscheduler(task) for task in made} == {policy}
        del session
        gc.collect()
        assert not made & tasks()

    @pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")
    def test_a_single_one_leaves_it_to_those_that_ask(self, small: SmallEncoder) -> None:
        before = tasks()
        session = KernelSession(small.weights(), 1)
        (made,) = tasks() - before - {thread.native_id for thread in threading.enumerate()}
        started = time.thread_time()
        while time.thread_time() - started < 0.1:
            session.run(_rows([LONGEST] * 10))
        fields = Path(f"/proc/self/task/{made}/stat").read_text("ascii").rpartition(")")[2].split()
        assert int(fields[11]) + int(fields[12]) <= 1  # hundredths of a second that it computed

    def test_time_is_told_by_what_it_went_into(self, session: KernelSession) -> None:
        session.run(_rows([30] * 20))
        shares = session.shares()
        assert sum(shares.values()) == pytest.approx(1)
        assert all(share > 0 for share in shares.values())


@compiled
class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "row", [[], [-1], [VOCABULARY], [0] * (LONGEST + 1)], ids=["none", "-1", "unknown", "long"]
    )
    def test_ids_and_lengths_that_it_does_not_know(self, session: KernelSession, row: list[int]) -> None:
        with pytest.raises(ValueError, match=f"1 to {LONGEST} tokens below {VOCABULARY}"):
            session.run([[1, 2], row])
