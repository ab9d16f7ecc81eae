"""No file in git holds a secret: a private key, or a token in the form that a known service gives."""

import shutil
import subprocess
from pathlib import Path

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

from tests.conftest import PROJECT

DETECTORS = (
    *("AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "GitHubTokenDetector", "GitLabTokenDetector"),
    *("JwtTokenDetector", "NpmDetector", "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector", "SlackDetector"),
)
SETTINGS = {"plugins_used": [{"name": name} for name in DETECTORS]}
TEXTS_AND_WEIGHTS = ("data/", "models/")
KNOWN = {("tests/training/test_encoder.py", "GitHub Token")}
"""Taken for a token by mistake: the name of a call with its arguments."""


def _tracked() -> list[str]:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a working copy of git")
    return [name for name in listed.stdout.split("\0") if name and not name.startswith(TEXTS_AND_WEIGHTS)]


def _found(folder: Path, names: list[str]) -> set[tuple[str, str]]:
    with transient_settings(SETTINGS):
        secrets = SecretsCollection(root=str(folder))
        for name in names:
            secrets.scan_file(name)
        return {(name, secret.type) for name, secret in secrets}


def test_no_tracked_file_holds_a_secret() -> None:
    assert _found(PROJECT, _tracked()) <= KNOWN


@pytest.mark.parametrize("secret", ["-----BEGIN RSA PRIVATE" + " KEY-----", "ghp_" + "0aB1" * 9])
def test_a_secret_would_be_found(tmp_path: Path, secret: str) -> None:
    (tmp_path / "a.py").write_text(f'TOKEN = "{secret}"\n', "utf-8")
    assert _found(tmp_path, ["a.py"])
