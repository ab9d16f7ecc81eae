"""nlp-service models list."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nlp_service.cli.main import app
from nlp_service.errors import BundleError
from nlp_service.inference.bundle import HeadBundle, read_bundle
from nlp_service.inference.engine import TASKS
from nlp_service.inference.release import RELEASE_FILE, encoder_folder, read_release
from tests.conftest import PROJECT
from tests.releases import copy_bundles, copy_head, move_to_own_encoder, promote, serving_head


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with copies of the bundles, which a test may damage."""
    monkeypatch.setenv("NLP_HOME", str(tmp_path / "copied"))
    return copy_bundles(tmp_path / "copied")


def _list() -> Result:
    return CliRunner().invoke(app, ["models", "list"])


def _row(result: Result, name: str) -> str:
    (row,) = (line for line in result.stdout.splitlines() if f" {name}" in line)
    return row


def _serves(result: Result, name: str) -> bool:
    return "★" in _row(result, name)


def _encoder(bundles: Path) -> str:
    """The folder of the encoder that the serving head for tickets reads."""
    reference = read_bundle(serving_head(bundles, "classify"), HeadBundle).encoder
    return encoder_folder(reference.name, reference.fingerprint)


def test_everything_that_serves_has_a_star(copied: Path) -> None:
    result = _list()
    assert result.exit_code == 0
    for folder in read_release(copied).serving.values():
        assert _serves(result, folder)


def test_the_encoder_that_a_serving_head_reads_has_a_star(copied: Path) -> None:
    assert _serves(_list(), _encoder(copied))


def test_a_version_that_does_not_serve_is_listed_without_a_star(copied: Path) -> None:
    copy_head(copied, "classify", "second")
    assert not _serves(_list(), "heads/classify-second")


def test_the_star_moves_with_a_promotion(copied: Path) -> None:
    before = serving_head(copied, "classify").name
    promote(copied, "classify", copy_head(copied, "classify", "second"))
    result = _list()
    assert (_serves(result, "heads/classify-second"), _serves(result, f"heads/{before}")) == (True, False)


def test_an_encoder_of_a_head_that_does_not_serve_has_no_star(copied: Path) -> None:
    move_to_own_encoder(copied, copy_head(copied, "classify", "second"))
    assert not _serves(_list(), "encoders/classify-")


def test_an_operator_takes_a_promotion_back(copied: Path) -> None:
    before = read_release(copied).serving["classify"]
    promote(copied, "classify", copy_head(copied, "classify", "second"))
    result = CliRunner().invoke(app, ["models", "rollback", "classify"])
    assert f"classify: heads/classify-second → {before}" in result.stdout
    assert read_release(copied).serving["classify"] == before


def test_a_folder_that_holds_no_cross_encoder_is_refused(copied: Path, tmp_path: Path) -> None:
    (copied.parents[1] / "data").symlink_to(PROJECT / "data")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "pytorch_model.bin").touch()
    result = CliRunner().invoke(app, ["models", "reranker", str(tmp_path / "model")])
    assert (result.exit_code, type(result.exception)) == (1, BundleError)


@pytest.mark.usefixtures("copied")
def test_without_a_promotion_there_is_nothing_to_take_back() -> None:
    result = CliRunner().invoke(app, ["models", "rollback", "classify"])
    assert (result.exit_code, type(result.exception)) == (1, BundleError)


@pytest.mark.parametrize("task", TASKS)
def test_a_head_is_listed_with_its_figure_on_the_test_set(copied: Path, task: str) -> None:
    assert "/test F1 0." in _row(_list(), read_release(copied).serving[task])


def test_a_damaged_bundle_is_marked_and_the_exit_code_says_so(copied: Path) -> None:
    with (serving_head(copied, "classify") / "head.safetensors").open("ab") as stream:
        stream.write(b"\0")
    result = _list()
    assert result.exit_code == 1
    assert result.stdout.count("✗") == 1


def test_a_damaged_bundle_that_serves_has_its_star(copied: Path) -> None:
    folder = serving_head(copied, "classify")
    (folder / "bundle.json").write_text("{}", "utf-8")
    assert _serves(_list(), f"heads/{folder.name}")


def test_a_damaged_bundle_does_not_hide_the_others(copied: Path) -> None:
    (serving_head(copied, "classify") / "bundle.json").write_text("{}", "utf-8")
    assert "✓" in _row(_list(), f"heads/{serving_head(copied, 'sentiment').name}")


def test_a_head_that_should_serve_but_is_missing_is_listed(copied: Path) -> None:
    folder = serving_head(copied, "classify")
    shutil.rmtree(folder)
    result = _list()
    assert result.exit_code == 1
    assert "✗" in _row(result, f"heads/{folder.name}")


def test_an_encoder_that_a_serving_head_reads_but_is_missing_is_listed(copied: Path) -> None:
    encoder = _encoder(copied)
    (copied / encoder).unlink()
    result = _list()
    assert result.exit_code == 1
    assert "✗" in _row(result, encoder)


def test_a_bundle_that_is_still_being_written_is_not_listed(copied: Path) -> None:
    (copied / "heads" / "classify.partial").mkdir()
    result = _list()
    assert result.exit_code == 0
    assert "partial" not in result.stdout


def test_without_bundles_the_command_that_builds_them_is_named(copied: Path) -> None:
    shutil.rmtree(copied)
    result = _list()
    assert isinstance(result.exception, BundleError)
    assert "nlp-service models build" in str(result.exception)


def test_a_broken_release_is_an_expected_error(copied: Path) -> None:
    (copied / RELEASE_FILE).write_text("{", "utf-8")
    result = _list()
    assert isinstance(result.exception, BundleError)
    assert RELEASE_FILE in str(result.exception)
