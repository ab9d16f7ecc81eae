"""nlp-service serve, where it refuses to start; how it starts is tested in tests/e2e."""

import gc
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlp_service.cli.main import app
from nlp_service.errors import AccessNotConfigured, BundleError
from tests.access.keys import SECRET
from tests.ports import free_port


@pytest.fixture(autouse=True)
def _free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that nobody listens on."""
    monkeypatch.setenv("NLP_PORT", str(free_port()))


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"NLP_ENVIRONMENT": "production"}, "NLP_SECRET"),
        ({"NLP_HOST": "0.0.0.0"}, "NLP_SECRET"),  # noqa: S104
        ({"NLP_ENVIRONMENT": "production", "NLP_SECRET": SECRET.get_secret_value()}, "nlp-service keys create"),
    ],
    ids=["production", "all addresses", "no key"],
)
def test_without_keys_it_does_not_start_and_says_what_to_do(
    environment: dict[str, str], missing: str, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["serve"])
    assert isinstance(result.exception, AccessNotConfigured)
    assert missing in str(result.exception)
    assert not (home / "var" / "index").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_bundles_it_does_not_start_and_says_what_to_do(
    workers: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NLP_HOME", str(tmp_path / "elsewhere"))
    result = CliRunner().invoke(app, ["serve", "--workers", workers])
    assert isinstance(result.exception, BundleError)
    assert "nlp-service models build" in str(result.exception)
    assert gc.isenabled()
