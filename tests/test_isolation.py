"""Tests touch nothing that belongs to a running service."""

import os
import subprocess
import sys
from pathlib import Path

from nlp_service.settings import Settings

PROJECT = Path(__file__).parent.parent


def test_a_database_of_the_environment_is_out_of_reach(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::test_the_default_counts"]
    environment = {**os.environ, "NLP_DATABASE_URL": f"sqlite:///{tmp_path / 'real.db'}"}
    run = subprocess.run(arguments, cwd=PROJECT, env=environment, capture_output=True, check=False)
    assert run.returncode == 0


def test_the_default_counts(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).resolved_database_url == f"sqlite:///{tmp_path / 'var' / 'nlp.db'}"
