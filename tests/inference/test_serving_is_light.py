"""The serving process needs neither torch nor transformers, and trusts no file that others can write."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import BUNDLES

SERVE = """
import sys
from fastapi.testclient import TestClient
from nlp_service.app import create_app

with TestClient(create_app()) as client:
    texts = {"texts": ["很好用"], "aspects": True, "explain": True}
    assert client.post("/v1/sentiment", json=texts).status_code == 200
    assert client.post("/v1/classify", json={"tickets": [{"text": "又闪退了"}]}).status_code == 200
    assert client.post("/v1/search", json={"query": "登录失败"}).status_code == 200
heavy = {"torch", "transformers", "sentence_transformers", "sklearn", "nncf", "snownlp", "training"} & set(sys.modules)
print("imported:", sorted(heavy))
"""


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the process."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> str:
    """What a process that served some requests printed."""
    home = tmp_path_factory.mktemp("home")
    (home / "var").mkdir()
    (home / "var" / "bundles").symlink_to(BUNDLES)
    done = subprocess.run(
        [sys.executable, "-c", SERVE],
        env={"NLP_HOME": str(home), "PATH": "", "NLP_LOG_LEVEL": "error", "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_serving_imports_neither_torch_nor_transformers(served: str) -> None:
    assert served.strip().endswith("imported: []"), served


@pytest.mark.usefixtures("served")
def test_serving_uses_no_file_in_the_temporary_folder(temporary: Path) -> None:
    assert list(temporary.iterdir()) == []
