"""nlp-service models list."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlp_service.cli.main import app
from nlp_service.errors import BundleError
from tests.conftest import BUNDLES


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the encoders and copies of the heads, which a test may damage."""
    bundles = tmp_path / "copied" / "var" / "bundles"
    shutil.copytree(BUNDLES / "heads", bundles / "heads")
    (bundles / "encoders").symlink_to(BUNDLES / "encoders")
    monkeypatch.setenv("NLP_HOME", str(tmp_path / "copied"))
    return bundles


@pytest.mark.usefixtures("copied")
def test_all_bundles_are_listed() -> None:
    result = CliRunner().invoke(app, ["models", "list"])
    assert result.exit_code == 0
    for name in ("encoders/feedback", "encoders/search", "heads/classify", "heads/sentiment"):
        assert name in result.stdout


def test_a_damaged_bundle_is_marked_and_the_exit_code_says_so(copied: Path) -> None:
    with (copied / "heads" / "classify" / "head.safetensors").open("ab") as stream:
        stream.write(b"\0")
    result = CliRunner().invoke(app, ["models", "list"])
    assert result.exit_code == 1
    assert result.stdout.count("✗") == 1


def test_a_damaged_bundle_does_not_hide_the_others(copied: Path) -> None:
    (copied / "heads" / "classify" / "bundle.json").write_text("{}", "utf-8")
    assert "heads/sentiment" in CliRunner().invoke(app, ["models", "list"]).stdout


def test_a_bundle_that_is_still_being_written_is_not_listed(copied: Path) -> None:
    (copied / "heads" / "classify.partial").mkdir()
    result = CliRunner().invoke(app, ["models", "list"])
    assert result.exit_code == 0
    assert "partial" not in result.stdout


def test_without_bundles_the_command_that_builds_them_is_named(copied: Path) -> None:
    shutil.rmtree(copied)
    result = CliRunner().invoke(app, ["models", "list"])
    assert isinstance(result.exception, BundleError)
    assert "nlp-service models build" in str(result.exception)
