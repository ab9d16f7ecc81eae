"""The command line has all its commands, and imports what the one that is run needs."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from nlp_service.cli.commands import MODULES
from nlp_service.cli.main import app

LARGE = {"alembic", "faiss", "fastapi", "openvino", "ray", "rjieba", "sqlalchemy", "uvicorn"}
IMPORTED = "import sys, nlp_service.cli.main, nlp_service.cli.serve; print(*sys.modules)"


def test_the_help_names_every_command_and_what_it_is_for() -> None:
    lines = CliRunner().invoke(app, ["--help"]).output.splitlines()
    named = {line.strip("│ ").split("  ")[0]: line for line in lines if " · " in line}
    assert {*MODULES, "version"} <= named.keys()


@pytest.mark.parametrize("command", MODULES)
def test_a_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"nlp-service {command}" in result.output or f" {command} " in result.output


def test_another_command_is_refused() -> None:
    result = CliRunner().invoke(app, ["train"])
    assert result.exit_code == 2
    assert "train" in result.output


def test_nothing_large_is_imported_before_the_models_begin_to_load() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert not LARGE & set(done.stdout.split())
