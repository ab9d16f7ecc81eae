from pathlib import Path

import pytest

from nlp_service.inference.release import read_release
from tests.training.registry.conftest import write_candidate
from training.registry.gate import GateConfig
from training.registry.promotion import promote
from training.registry.register import register
from training.registry.status import status
from training.registry.tracking import open_client

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning")
A, B = "2026.02.02-aaaaaa", "2026.02.03-bbbbbb"


@pytest.fixture
def registered(tmp_path: Path, var: Path) -> Path:
    """A champion of `classify`, a newer candidate of it, and a candidate of `severity`."""
    serving = read_release(var / "bundles").serving
    register(write_candidate(tmp_path / "a", "classify", A, serving), var)
    promote("classify", var, gate=GateConfig(), force_reason="试用")
    register(write_candidate(tmp_path / "b", "classify", B, serving, difference=0.05), var)
    register(write_candidate(tmp_path / "c", "severity", A, serving), var)
    return var


def test_nothing_is_registered_at_first(tmp_path: Path) -> None:
    assert status(tmp_path) == []


def test_looking_makes_no_database(tmp_path: Path) -> None:
    status(tmp_path)
    assert not (tmp_path / "mlflow").exists()


def test_each_target_has_its_champion_and_its_candidate(registered: Path) -> None:
    versions = {
        one.target: (one.champion and one.champion.version, one.candidate and one.candidate.version)
        for one in status(registered)
    }
    assert versions == {"classify": (A, B), "severity": (None, A)}


def test_a_version_is_told_with_its_main_figures(registered: Path) -> None:
    candidate = status(registered)[0].candidate
    assert candidate is not None
    assert str(candidate) == f"{B} (2): classify 0.8500"


def test_a_forced_champion_is_told_with_the_reason(registered: Path) -> None:
    champion = status(registered)[0].champion
    assert champion is not None
    assert (champion.force_reason, bool(champion.promoted_at)) == ("试用", True)


def test_the_alias_that_is_missing_is_set(registered: Path) -> None:
    with open_client(registered) as client:
        client.delete_registered_model_alias("nlp-service.classify", "champion")
    champion = status(registered)[0].champion
    assert champion is not None
    assert champion.version == A


def test_targets_are_found_among_many_models_of_others(registered: Path) -> None:
    with open_client(registered) as client:
        for number in range(100):  # as many as MLflow lists at once
            client.create_registered_model(f"another-{number:03d}")
    assert [one.target for one in status(registered)] == ["classify", "severity"]
