import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from nlp_service.errors import BundleError
from nlp_service.inference.release import read_release
from tests.training.registry.conftest import comparison_of, fingerprint, write_candidate
from training.registry.comparison import write_comparison
from training.registry.errors import RegistryError
from training.registry.register import register
from training.registry.tracking import experiment_id, open_client

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning")
MODEL, VERSION = "nlp-service.classify", "2026.02.02-aaaaaa"


@pytest.fixture
def candidate(tmp_path: Path, var: Path) -> Path:
    return write_candidate(tmp_path / "candidate", "classify", VERSION, read_release(var / "bundles").serving)


def run_of(var: Path, number: str) -> Any:
    with open_client(var) as client:
        return client.get_run(str(client.get_model_version(MODEL, number).run_id))


def aliases(var: Path) -> dict[str, str]:
    with open_client(var) as client:
        found = client.search_registered_models(f"name = '{MODEL}'")
        return {alias: str(number) for alias, number in found[0].aliases.items()} if found else {}


def test_a_registered_candidate_has_the_alias(candidate: Path, var: Path) -> None:
    number = register(candidate, var)
    assert aliases(var) == {"candidate": number}


def test_a_registered_run_is_finished(candidate: Path, var: Path) -> None:
    assert run_of(var, register(candidate, var)).info.status == "FINISHED"


def test_the_run_has_the_parameters(candidate: Path, var: Path) -> None:
    assert run_of(var, register(candidate, var)).data.params == {"seed": "7", "architecture.tuning": "full"}


def test_the_run_has_every_number_of_the_report(candidate: Path, var: Path) -> None:
    metrics = run_of(var, register(candidate, var)).data.metrics
    assert metrics == {"classify/test/macro_f1/value": 0.82, "classify/test/texts": 100.0}


def test_names_that_mlflow_does_not_take_are_changed(candidate: Path, var: Path) -> None:
    figures = {"short (≤ 15)": 0.5, "..": 0.25, "文字": 0.75, "broken": float("nan"), "passed": True}
    (candidate / "report" / "figures.json").write_text(json.dumps(figures), "utf-8")
    metrics = run_of(var, register(candidate, var)).data.metrics
    assert metrics == {"short __ 15_": 0.5, "__": 0.25, "文字": 0.75}


def test_more_figures_than_mlflow_takes_at_once_are_registered(candidate: Path, var: Path) -> None:
    figures = {f"figure {number}": number / 1200 for number in range(1200)}
    (candidate / "report" / "figures.json").write_text(json.dumps(figures), "utf-8")
    assert run_of(var, register(candidate, var)).data.metrics == figures


def test_the_run_names_the_data(candidate: Path, var: Path) -> None:
    tags = run_of(var, register(candidate, var)).data.tags
    assert (tags["data.train"], tags["data.test"]) == (fingerprint("train"), fingerprint("test"))


def test_the_run_names_the_commit_and_that_files_differ(candidate: Path, var: Path) -> None:
    git = ["git", "-C", str(candidate), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x", "--no-gpg-sign"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    (candidate / "report" / "report.md").write_text("changed", "utf-8")
    assert run_of(var, register(candidate, var)).data.tags["mlflow.source.git.commit"] == f"{head}-dirty"


def test_everything_of_the_candidate_is_in_the_run(candidate: Path, var: Path, tmp_path: Path) -> None:
    run = run_of(var, register(candidate, var))
    with open_client(var) as client:
        logged = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    names = {file.relative_to(candidate) for file in candidate.rglob("*") if file.is_file()}
    assert {name for name in names if (logged / name).read_bytes() == (candidate / name).read_bytes()} == names


def test_artifacts_lie_beside_the_database(candidate: Path, var: Path) -> None:
    register(candidate, var)
    assert list((var / "mlflow" / "artifacts").glob("*/artifacts/candidate.json"))


def test_another_server_is_used_when_the_environment_names_one(
    candidate: Path, var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.write_bytes((var / "mlflow" / "mlflow.db").read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    monkeypatch.chdir(tmp_path)
    register(candidate, var)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert aliases(var) == {}


def test_registering_the_same_version_again_gives_the_same_number(candidate: Path, var: Path) -> None:
    assert register(candidate, var) == register(candidate, var)


def test_registering_again_renews_the_comparison(candidate: Path, var: Path, tmp_path: Path) -> None:
    register(candidate, var)
    newer = comparison_of({"classify": "heads/classify-newer"}, "classify", difference=0.05)
    write_comparison(candidate / "comparison.json", newer)
    run = run_of(var, register(candidate, var))
    with open_client(var) as client:
        logged = Path(client.download_artifacts(run.info.run_id, "comparison.json", str(tmp_path)))
    assert "heads/classify-newer" in logged.read_text("utf-8")


def test_the_same_version_with_other_bundles_is_refused(candidate: Path, var: Path, tmp_path: Path) -> None:
    register(candidate, var)
    other = write_candidate(tmp_path / "other", "classify", VERSION, {})
    manifest = other / "bundles" / "heads" / f"classify-{VERSION}" / "bundle.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"temperature": 1.0', '"temperature": 2.0'), "utf-8")
    with pytest.raises(RegistryError, match="a version never changes"):
        register(other, var)


def test_another_version_has_another_number_and_takes_the_alias(candidate: Path, var: Path, tmp_path: Path) -> None:
    first = register(candidate, var)
    second = register(write_candidate(tmp_path / "second", "classify", "2026.02.03-bbbbbb", {}), var)
    assert (first, aliases(var)) == ("1", {"candidate": second})


def test_a_damaged_candidate_is_not_registered(candidate: Path, var: Path) -> None:
    (candidate / "bundles" / "heads" / f"classify-{VERSION}" / "head.safetensors").write_bytes(b"x")
    with pytest.raises(BundleError, match="sha256"):
        register(candidate, var)
    assert aliases(var) == {}


def test_a_candidate_with_a_part_that_was_not_compared_is_not_registered(candidate: Path, var: Path) -> None:
    write_comparison(candidate / "comparison.json", comparison_of({}, "severity"))
    with pytest.raises(RegistryError, match="same tasks: classify, severity"):
        register(candidate, var)


class Interrupted(BaseException):
    """As a signal would."""


@pytest.fixture
def interrupted(candidate: Path, var: Path) -> None:
    """Registering stopped while the artifacts were copied."""

    def stop(*_: object) -> None:
        raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifact", stop)
        with pytest.raises(Interrupted):
            register(candidate, var)


@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_registering_leaves_no_alias_and_no_version(var: Path) -> None:
    with open_client(var) as client:
        assert (aliases(var), client.search_model_versions(f"name = '{MODEL}'")) == ({}, [])


@pytest.mark.usefixtures("interrupted")
def test_the_run_of_an_interrupted_registering_is_marked(var: Path) -> None:
    with open_client(var) as client:
        assert [run.info.status for run in client.search_runs([experiment_id(client, var)])] == ["FAILED"]


@pytest.mark.usefixtures("interrupted")
def test_after_an_interruption_registering_succeeds(candidate: Path, var: Path) -> None:
    number = register(candidate, var)
    assert aliases(var) == {"candidate": number}


@pytest.mark.usefixtures("interrupted")
def test_after_an_interruption_only_the_whole_run_is_left(candidate: Path, var: Path) -> None:
    run = run_of(var, register(candidate, var))
    with open_client(var) as client:
        assert [one.info.run_id for one in client.search_runs([run.info.experiment_id])] == [run.info.run_id]


def test_a_version_without_its_alias_gets_it_when_it_is_registered_again(candidate: Path, var: Path) -> None:
    register(candidate, var)
    with open_client(var) as client:
        client.delete_registered_model_alias(MODEL, "candidate")
    number = register(candidate, var)
    assert aliases(var) == {"candidate": number}
