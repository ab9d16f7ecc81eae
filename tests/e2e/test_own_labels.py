"""The tutorial on labels of one's own, from an export to a service that answers with them, and back."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from nlp_service.app import create_app
from nlp_service.inference.release import read_release
from nlp_service.settings import Settings
from tests.conftest import BUNDLES, PROJECT

NAMES = {"fault": "缺陷", "feature_request": "需求", "question": "怎么用"}
TEXTS_OF_EACH = 60


def _export(file: Path) -> None:
    """A helpdesk's export: short tickets of this project under other names, and rows that mean nothing."""
    records = [
        json.loads(line)
        for source in sorted((PROJECT / "data" / "tickets").glob("*.jsonl"))
        for line in source.read_text("utf-8").splitlines()
    ]
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["编号", "标题", "内容", "类型"])
        for label, name in NAMES.items():
            short = [record for record in records if record["label"] == label and len(record["text"]) <= 40]
            for record in short[:TEXTS_OF_EACH]:
                writer.writerow([record["id"], "工单", record["text"], name])
        writer.writerow(["x-1", "测试", "测试数据请忽略", "测试"])
        writer.writerow(["x-2", "", "…", "缺陷"])


def _training(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training", *arguments, "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": "200"},
        timeout=600,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder of the module's own: its release may change, the bundles behind it are the shared ones."""
    folder = tmp_path_factory.mktemp("project")
    bundles = folder / "var" / "bundles"
    for kind in ("encoders", "heads"):
        (bundles / kind).mkdir(parents=True)
        for bundle in (BUNDLES / kind).iterdir():
            (bundles / kind / bundle.name).symlink_to(bundle)
    (bundles / "release.json").write_bytes((BUNDLES / "release.json").read_bytes())
    (folder / "var" / "base").symlink_to(PROJECT / "var" / "base")
    for name in ("models", "data"):
        (folder / name).symlink_to(PROJECT / name)
    _export(folder / "export.csv")
    return folder


@pytest.fixture(scope="module")
def trained(home: Path) -> subprocess.CompletedProcess[str]:
    columns = ["--text-column", "标题", "--text-column", "内容", "--label-column", "类型", "--map", "测试=-"]
    return _training(home, "run", "classify", "--data", str(home / "export.csv"), *columns)


def test_one_command_ends_with_a_candidate_and_its_report(
    home: Path, trained: subprocess.CompletedProcess[str]
) -> None:
    assert trained.returncode == 0, trained.stderr[-2000:]
    (candidate,) = (home / "var" / "candidates").glob("classify-*")
    assert (candidate / "report" / "report.md").is_file()
    described = json.loads((candidate / "candidate.json").read_text("utf-8"))
    assert described["parameters"]["texts.train"] > described["parameters"]["texts.test"] > 0


@pytest.mark.usefixtures("trained")
def test_other_labels_are_refused_unless_they_are_accepted(home: Path) -> None:
    before = read_release(home / "var" / "bundles")
    refused = _training(home, "promote", "classify")
    assert refused.returncode == 1
    assert "需求" in refused.stderr
    assert read_release(home / "var" / "bundles") == before


@pytest.mark.usefixtures("trained")
def test_the_service_answers_with_the_labels_of_the_export_and_goes_back(home: Path) -> None:
    ticket = {"tickets": [{"text": "点了保存没反应,东西全丢了"}]}
    promoted = _training(home, "promote", "classify", "--accept-new-labels", "--force", "rough labels are fine here")
    assert promoted.returncode == 0, promoted.stderr[-2000:]
    with TestClient(create_app(Settings(home=home, watch_models=False))) as service:
        (answer,) = service.post("/v1/classify", json=ticket).json()["results"]
        assert set(answer["probabilities"]) == set(NAMES.values())
        rolled_back = _training(home, "rollback", "classify")
        assert rolled_back.returncode == 0, rolled_back.stderr[-2000:]
        assert service.post("/v1/models/classify/reload").json()["changed"] is True
        (answer,) = service.post("/v1/classify", json=ticket).json()["results"]
        assert set(answer["probabilities"]) == {"fault", "feature_request", "question", "other"}
