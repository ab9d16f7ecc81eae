"""The serving process needs neither torch nor transformers."""

import subprocess
import sys
from pathlib import Path

SERVE_ONE_REQUEST = """
import sys
from fastapi.testclient import TestClient
from nlp_service.app import create_app

with TestClient(create_app()) as client:
    assert client.post("/v1/sentiment", json={"texts": ["很好用"]}).status_code == 200
    assert client.post("/v1/search", json={"query": "登录失败"}).status_code == 200
heavy = {"torch", "transformers", "sentence_transformers", "sklearn", "nncf", "snownlp", "training"} & set(sys.modules)
print("imported:", sorted(heavy))
"""


def test_serving_imports_neither_torch_nor_transformers(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVE_ONE_REQUEST],
        env={"NLP_HOME": str(home), "PATH": "", "NLP_LOG_LEVEL": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip().endswith("imported: []"), done.stdout + done.stderr
