"""The image: its file passes a linter, and its steps, run here in a clean virtual environment, give a working service.

No container engine is needed: the Dockerfile's RUN lines call `make image-bundles` and `make image-runtime`, and so do
these tests. Building the bundles in a second environment takes minutes; set NLP_TEST_IMAGE_BUNDLES=1 to run that too.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nlp_service.inference.bundle import HeadBundle, read_bundle
from nlp_service.inference.engine import TASKS
from nlp_service.inference.head import WEIGHTS_FILE
from nlp_service.inference.kernel.library import library
from nlp_service.inference.release import read_release
from tests.conftest import BUNDLES, PROJECT
from tests.e2e.service import service

DOCKERFILE = PROJECT / "Dockerfile"


def _make(target: str, context: Path, venv: Path) -> None:
    clean = {
        name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS"}
    }
    clean["PIP_NO_COMPILE"] = "0"  # pip's way to say so: what is never run need not be compiled
    command = ["make", target, f"VENV={venv}", f"PYTHON={getattr(sys, '_base_executable', sys.executable)}"]
    done = subprocess.run(command, cwd=context, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def _copied(stage: str) -> list[str]:
    """Sources of the COPY lines of one stage that come from the build context."""
    text = DOCKERFILE.read_text("utf-8")
    part = next(part for part in re.split(r"^FROM ", text, flags=re.MULTILINE) if f" AS {stage}\n" in part)
    lines = re.findall(r"^COPY (?!--from)(.+)$", part, flags=re.MULTILINE)
    return [name for line in lines for name in line.split()[:-1]]


def _context(target: Path, stage: str) -> Path:
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so")
    for name in _copied(stage):
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignore)
        else:
            shutil.copy(source, target / name)
    return target


def test_the_dockerfile_passes_the_linter() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_install_step_of_the_image_is_in_the_makefile() -> None:
    steps = re.findall(r"^RUN (.+)$", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE)
    assert not [step for step in steps if "pip" in step]


def test_the_image_runs_as_an_ordinary_user_and_checks_its_health() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert re.search(r"^USER [0-9]+$", text, flags=re.MULTILINE)
    assert "/readyz" in text.partition("HEALTHCHECK")[2]


def test_the_runtime_steps_give_a_service_without_torch(tmp_path: Path, home: Path) -> None:
    venv = tmp_path / "venv"
    context = tmp_path / "context"
    context.mkdir()
    _make("image-runtime", _context(context, "service"), venv)
    installed = {path.name.partition("-")[0].lower() for path in venv.glob("lib/python*/site-packages/*.dist-info")}
    assert not installed & {"torch", "transformers", "sentence_transformers", "nncf", "snownlp", "pip"}
    compiled = "from nlp_service.inference.kernel.library import library; print(library() is not None)"
    ran = subprocess.run(
        [venv / "bin" / "python", "-c", compiled], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == str(library() is not None)
    with service(home, [str(venv / "bin" / "nlp-service"), "serve"], PATH=str(venv / "bin")) as client:
        answer = client.post("/v1/classify", json={"tickets": [{"text": "又闪退了"}]})
    assert answer.status_code == 200


@pytest.mark.skipif("NLP_TEST_IMAGE_BUNDLES" not in os.environ, reason="takes minutes; set NLP_TEST_IMAGE_BUNDLES=1")
def test_the_build_steps_give_the_same_bundles(tmp_path: Path) -> None:
    context = _context(tmp_path, "bundles")
    _make("image-bundles", context, tmp_path / "venv")
    built, ours = read_release(context / "var" / "bundles"), read_release(BUNDLES)
    assert built.serving == ours.shipped
    for task in TASKS:
        heads = [
            read_bundle(bundles / release.shipped[task], HeadBundle)
            for bundles, release in ((context / "var" / "bundles", built), (BUNDLES, ours))
        ]
        assert heads[0].files[WEIGHTS_FILE] == heads[1].files[WEIGHTS_FILE]
