"""A bounded run of each fuzz target: no crash, no hang, no growth."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import PROJECT

RUNS, SEED = 20_000, 1
HANG_SECONDS = 10
SEEDS = [
    "订单 ORA-00060 导出失败,电话13812345678,邮箱 zhang@example.com",
    "身份证110101199003074578,卡4111 1111 1111 1111",
    "檔案無法登入 e1001 0x80070005 HTTP 502",
]


def test_the_text_pipeline_survives(tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed: it has no wheel for this platform")
    for number, seed in enumerate(SEEDS):
        (tmp_path / f"{number}").write_text(seed, "utf-8")
    limits = [f"-runs={RUNS}", f"-seed={SEED}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=0"]
    command = [sys.executable, "-m", "tests.fuzz.text", *limits, "-max_len=512", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run([*command, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Done {RUNS}" in done.stderr
