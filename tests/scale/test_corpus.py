"""A corpus on a Ray cluster: the same file as without one, whatever is lost on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from nlp_service.feedback.analysing import analyse_file
from nlp_service.feedback.corpus_files import CorpusFile
from nlp_service.feedback.survey import survey
from nlp_service.feedback.tally import Tally
from nlp_service.feedback.texts import BadLine
from nlp_service.inference.engine import Engine
from nlp_service.scale.cluster import ray_cluster
from nlp_service.scale.corpus import CorpusOptions, analyse_corpus
from nlp_service.scale.job import parts_folder
from nlp_service.settings import Settings
from tests.conftest import BUNDLES, PROJECT
from tests.scale.clusters import add_node, nodes
from tests.scale.corpora import write_corpus

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

RECORDS, SHARD = 160, 20
OPTIONS = CorpusOptions(workers=1, shard_records=SHARD)
Progress = Callable[[int, int], None]
Analyse = Callable[[CorpusFile, Progress], Tally]
SECONDS = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("scale")
    (made / "var").mkdir()
    (made / "var" / "bundles").symlink_to(BUNDLES)
    return made


@pytest.fixture(scope="module")
def corpus(home: Path) -> Path:
    file = home / "reviews.jsonl"
    write_corpus(file, RECORDS)
    return file


@dataclass(frozen=True)
class Plain:
    """What one process makes of the corpus without Ray."""

    content: bytes
    tally: Tally
    bad: list[BadLine]


@pytest.fixture(scope="module")
def plain(corpus: Path, engine: Engine) -> Plain:
    target, bad = corpus.with_name("plain.jsonl"), list[BadLine]()
    found = survey(corpus)
    tally = analyse_file(corpus, found, target, engine.analyse, on_bad=bad.append, on_texts=lambda _: None)
    return Plain(target.read_bytes(), tally, bad)


@pytest.fixture(scope="module")
def cluster() -> Iterator["Cluster"]:
    """A head that computes nothing, and one node with a core."""
    with nodes(0, 1) as started:
        yield started


@pytest.fixture(scope="module")
def analyse(cluster: "Cluster", home: Path) -> Iterator[Analyse]:
    """Analyses a file on the cluster."""
    with patch.dict(os.environ, NLP_HOME=str(home)), ray_cluster(cluster.address):
        yield lambda file, progress: analyse_corpus([file], Settings(), OPTIONS, progress)


@dataclass(frozen=True)
class LostNode:
    """A run in the middle of which the only node that computes was killed, and another one came."""

    file: CorpusFile
    finished: int
    """Shards when the node was killed."""
    tally: Tally


@pytest.fixture(scope="module")
def lost_node(analyse: Analyse, cluster: "Cluster", corpus: Path) -> LostNode:
    file = CorpusFile(corpus, corpus.with_name("lost-node.jsonl"))
    finished: list[int] = []

    def lose_it(*_: int) -> None:
        if not finished:
            (node,) = cluster.worker_nodes
            cluster.remove_node(node, allow_graceful=False)
            finished.append(len(_receipts(file.target)))
            add_node(cluster, 1)

    tally = analyse(file, lose_it)
    return LostNode(file, finished[0], tally)


def _receipts(target: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in parts_folder(target).glob("0*.json")}


def test_a_node_killed_in_the_middle_costs_no_record(lost_node: LostNode, plain: Plain) -> None:
    assert 0 < lost_node.finished < RECORDS // SHARD
    assert lost_node.file.target.read_bytes() == plain.content
    assert lost_node.tally == plain.tally


def test_lines_that_cannot_be_analysed_go_to_a_file_of_their_own(lost_node: LostNode, plain: Plain) -> None:
    rejected = [json.loads(line) for line in lost_node.file.rejected.read_text("utf-8").splitlines()]
    assert rejected == [{"line": line.number, "reason": line.reason} for line in plain.bad]


def test_every_record_is_a_row_or_a_rejected_line(lost_node: LostNode) -> None:
    files = (lost_node.file.target, lost_node.file.rejected)
    numbers = [json.loads(line)["line"] for file in files for line in file.read_text("utf-8").splitlines()]
    assert sorted(numbers) == list(range(1, RECORDS + 1))


def test_no_parts_are_left(lost_node: LostNode) -> None:
    assert not parts_folder(lost_node.file.target).exists()


def test_a_run_whose_driver_was_killed_goes_on_where_it_was(
    cluster: "Cluster",
    home: Path,
    corpus: Path,
    plain: Plain,
    analyse: Analyse,
) -> None:
    file = CorpusFile(corpus, corpus.with_name("killed-driver.jsonl"))
    command = ["analyze", str(corpus), "-o", str(file.target), "--engine", "ray", "--shard-records", str(SHARD)]
    driver = subprocess.Popen(
        [sys.executable, "-m", "nlp_service", *command, "--address", cluster.address],
        env={**os.environ, "NLP_HOME": str(home)},
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + SECONDS
    while not _receipts(file.target) and time.monotonic() < deadline and driver.poll() is None:
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = _receipts(file.target)
    assert 0 < len(before) < RECORDS // SHARD
    kept: list[bool] = []
    analyse(file, lambda *_: kept.append(before.items() <= _receipts(file.target).items()))
    assert all(kept)
    assert file.target.read_bytes() == plain.content
