"""A folder where a release serves, candidates to replace parts of it, and an empty MLflow database."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nlp_service.inference.bundle import BUNDLE_FILE, sha256
from nlp_service.inference.release import Parts, Release, write_release
from tests.conftest import PROJECT
from training.metrics import Figure
from training.registry.comparison import Comparison, TaskComparison, write_comparison
from training.registry.tracking import REGISTRY_URI, TRACKING_URI

TASKS = ("sentiment", "classify", "severity", "aspects")
SHIPPED = "2026.01.01-000000"


def fingerprint(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def write_bundle(folder: Path, manifest: Mapping[str, object], files: tuple[str, ...]) -> None:
    """A bundle whose files hold any bytes; enough for everything but loading it."""
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_text(f"{folder.name}/{name}", "utf-8")
    listed = {name: sha256(folder / name) for name in files}
    (folder / BUNDLE_FILE).write_text(json.dumps({**manifest, "files": listed}), "utf-8")


def write_encoder(bundles: Path, name: str, weights: str) -> str:
    """Returns its folder relative to `bundles`."""
    folder = f"encoders/{name}-{fingerprint(weights)[:12]}"
    manifest = {
        "name": name,
        "version": "1",
        "base": "tiny",
        "fingerprint": fingerprint(weights),
        "pooling": "mean",
        "prefix": {"query": "", "passage": ""},
        "window_tokens": 64,
        "dimension": 8,
        "precision": "int8-dynamic",
        "comparison": {"texts": 1, "cosine_mean": 1.0, "cosine_min": 1.0},
    }
    write_bundle(
        bundles / folder, manifest, ("encoder.xml", "encoder.bin", "unigram.model", "test_vectors.safetensors")
    )
    return folder


def write_head(bundles: Path, task: str, version: str, weights: str) -> str:
    """Returns its folder relative to `bundles`."""
    folder = f"heads/{task}-{version}"
    manifest = {
        "task": task,
        "version": version,
        "labels": ["a", "b"],
        "encoder": {"name": "feedback", "fingerprint": fingerprint(weights)},
        "temperature": 1.0,
        "review_threshold": 0.5,
        "metrics": {},
        "data": {},
    }
    write_bundle(bundles / folder, manifest, ("head.safetensors", "test_answers.safetensors"))
    return folder


def comparison_of(serving: Parts, *tasks: str, difference: float = 0.02, slower: float = 1.0) -> Comparison:
    """One that the default gate passes unless told otherwise."""
    one = TaskComparison(
        metric="macro-F1",
        labels=("a", "b"),
        champion_labels=("a", "b"),
        texts=100,
        candidate=0.8 + difference,
        champion=0.8,
        difference=Figure(difference, difference - 0.01, difference + 0.01),
        ece=0.02,
        slices={},
        slower=slower,
    )
    return Comparison(champion=dict(serving), tasks=dict.fromkeys(tasks, one))


def write_candidate(
    folder: Path, target: str, version: str, serving: Parts, *, encoder: str | None = None, difference: float = 0.02
) -> Path:
    """A candidate that was compared with `serving`: a head on the shipped encoder, or all heads with `encoder`."""
    bundles = folder / "bundles"
    tasks = TASKS if target == "feedback" else (target,)
    parts = {task: write_head(bundles, task, version, encoder or "shipped") for task in tasks}
    description = {
        "target": target,
        "version": version,
        "parts": parts,
        "encoders": [write_encoder(bundles, "feedback", encoder)] if encoder else [],
        "parameters": {"seed": 7, "architecture.tuning": "full"},
        "data": {"train": fingerprint("train"), "test": fingerprint("test")},
    }
    (folder / "candidate.json").write_text(json.dumps(description), "utf-8")
    (folder / "models" / "heads" / target).mkdir(parents=True)
    (folder / "models" / "heads" / target / "head.json").write_text("{}", "utf-8")
    (folder / "report").mkdir()
    (folder / "report" / "report.md").write_text("# 报告\n", "utf-8")
    figures = {"classify": {"test": {"macro_f1": {"value": 0.82}, "texts": 100, "labels": ["a", "b"]}}}
    (folder / "report" / "figures.json").write_text(json.dumps(figures), "utf-8")
    write_comparison(folder / "comparison.json", comparison_of(serving, *tasks, difference=difference))
    return folder


MAKE_DATABASE = """
import sys
from pathlib import Path

calls = {"socket.connect", "socket.getaddrinfo"}
sys.addaudithook(lambda event, arguments: print(event, arguments) if event in calls else None)

from training.registry.tracking import open_client

with open_client(Path(sys.argv[1])) as client:
    client.search_registered_models()
"""
"""Run by itself, for MLflow behaves otherwise under pytest; tells what it wants of the network."""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder whose database is copied."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="session")
def first_use(home: Path) -> subprocess.CompletedProcess[str]:
    """A process that opened a registry where there was none."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", MAKE_DATABASE, str(home)]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def database(first_use: subprocess.CompletedProcess[str], home: Path) -> Path:
    """An empty database of MLflow: making one takes seconds, copying it nothing."""
    assert first_use.returncode == 0, first_use.stderr
    return home / "mlflow" / "mlflow.db"


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says, tests register in their own folder."""
    monkeypatch.delenv(TRACKING_URI, raising=False)
    monkeypatch.delenv(REGISTRY_URI, raising=False)


@pytest.fixture
def var(tmp_path: Path, database: Path) -> Path:
    """A folder with shipped bundles that serve, and an empty registry."""
    var = tmp_path / "var"
    bundles = var / "bundles"
    write_encoder(bundles, "feedback", "shipped")
    serving = {task: write_head(bundles, task, SHIPPED, "shipped") for task in TASKS}
    serving["search"] = write_encoder(bundles, "search", "search")
    write_release(bundles, Release(serving=serving, shipped=serving))
    (var / "mlflow").mkdir()
    shutil.copy(database, var / "mlflow" / "mlflow.db")
    return var
