"""Register a candidate: a run with everything that belongs to it, and a version of its target's registered model."""

import hashlib
import json
import math
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_service.inference.bundle import BUNDLE_FILE, sha256
from nlp_service.inference.locking import exclusive
from training.registry.candidate import (
    BUNDLES,
    MODELS,
    REPORT,
    Candidate,
    check_compared,
    read_candidate,
    verify_bundles,
)
from training.registry.comparison import COMPARISON_FILE, Comparison, read_comparison
from training.registry.errors import RegistryError
from training.registry.tracking import experiment_id, local_folder, model_name, open_client
from training.registry.versions import (
    CANDIDATE,
    DIGEST_TAG,
    FIGURE_TAG,
    PARTS_TAG,
    VERSION_TAG,
    Registered,
    targets,
    versions_of,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

FIGURES_FILE = "figures.json"
TARGET_TAG, COMMIT_TAG, DATA_TAG = "target", "mlflow.source.git.commit", "data."
_BATCH = 100
"""MLflow takes no more parameters at once."""


def register(folder: Path, var_dir: Path) -> str:
    """Register the candidate in `folder` and give it the alias `candidate`; returns the number of the model version.

    Registering the same version again gives the same number; its comparison and report, which may have been made anew,
    replace the older ones. A model version is made when everything is logged, so none is ever half there. Raises
    RegistryError or BundleError for a candidate that is incomplete or damaged, or differs from what is registered
    under its version.
    """
    candidate, comparison = read_candidate(folder), read_comparison(folder / COMPARISON_FILE)
    check_compared(candidate, comparison)
    verify_bundles(candidate, lambda name: folder / BUNDLES / name)
    with exclusive(local_folder(var_dir)), open_client(var_dir) as client:
        name = model_name(candidate.target)
        if candidate.target not in targets(client):
            client.create_registered_model(name)
        known = next((one for one in versions_of(client, candidate.target) if one.version == candidate.version), None)
        if known is None:
            number, run = _add(client, candidate, comparison, folder, experiment_id(client, var_dir))
        else:
            number, run = known.number, known.run_id
            _renew(client, known, candidate, comparison, folder)
        client.set_registered_model_alias(name, CANDIDATE, number)
        client.set_terminated(run)
        return number


def _add(
    client: "MlflowClient", candidate: Candidate, comparison: Comparison, folder: Path, experiment: str
) -> tuple[str, str]:
    """Returns the number of the new model version and its run."""
    tags = {TARGET_TAG: candidate.target, VERSION_TAG: candidate.version}
    same = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
    for unfinished in client.search_runs([experiment], same):
        client.delete_run(unfinished.info.run_id)
    tags |= {f"{DATA_TAG}{_name(split)}": fingerprint for split, fingerprint in candidate.data.items()}
    if commit := _commit(folder):
        tags[COMMIT_TAG] = commit
    run = client.create_run(experiment, tags=tags, run_name=f"{candidate.target} {candidate.version}")
    try:
        _log(client, run.info.run_id, candidate, folder)
        version = client.create_model_version(
            model_name(candidate.target),
            f"{run.info.artifact_uri}/{BUNDLES}",
            run.info.run_id,
            tags={
                VERSION_TAG: candidate.version,
                PARTS_TAG: json.dumps(candidate.parts),
                DIGEST_TAG: _digest(candidate, folder),
                **_main_figures(comparison),
            },
        )
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    return str(version.version), run.info.run_id


def _renew(
    client: "MlflowClient", known: Registered, candidate: Candidate, comparison: Comparison, folder: Path
) -> None:
    if known.tags.get(DIGEST_TAG) != _digest(candidate, folder):
        raise RegistryError(
            f"{candidate.target} {candidate.version}: 已登记的同一版本内容不同,请另取版本号 · registered as version "
            f"{known.number} with other bundles; a version never changes, choose another"
        )
    _log_measured(client, known.run_id, folder)
    for key, value in _main_figures(comparison).items():
        client.set_model_version_tag(model_name(candidate.target), known.number, key, value)


def _log(client: "MlflowClient", run: str, candidate: Candidate, folder: Path) -> None:
    from mlflow.entities import Param

    parameters = [Param(_name(key), str(value)) for key, value in candidate.parameters.items()]
    for start in range(0, len(parameters), _BATCH):
        client.log_batch(run, params=parameters[start : start + _BATCH])
    _log_measured(client, run, folder)
    for name in (MODELS, BUNDLES):
        if (folder / name).is_dir():
            client.log_artifacts(run, str(folder / name), name)
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name != COMPARISON_FILE:
            client.log_artifact(run, str(file))


def _log_measured(client: "MlflowClient", run: str, folder: Path) -> None:
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    figures = _read_figures(folder / REPORT / FIGURES_FILE)
    metrics = [Metric(key, value, now, 0) for key, value in _flat(figures)]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(run, metrics=metrics[start : start + _BATCH])
    if (folder / REPORT).is_dir():
        client.log_artifacts(run, str(folder / REPORT), REPORT)
    client.log_artifact(run, str(folder / COMPARISON_FILE))


def _read_figures(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RegistryError(f"{file}: {error}") from error


def _flat(figures: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every finite number that is no part of a list, under its path."""
    if isinstance(figures, dict):
        for key, value in figures.items():
            yield from _flat(value, f"{path}/{_name(key)}" if path else _name(key))
    elif isinstance(figures, int | float) and not isinstance(figures, bool) and math.isfinite(figures):
        yield path, float(figures)


def _name(key: str) -> str:
    """MLflow takes only some characters in a name, and none that would be another path."""
    name = re.sub(r"[^\w.\- ]", "_", key)
    return name if name.strip(".") else name.replace(".", "_") or "_"


def _main_figures(comparison: Comparison) -> dict[str, str]:
    return {f"{FIGURE_TAG}{part}": f"{task.candidate:.4f}" for part, task in comparison.tasks.items()}


def _digest(candidate: Candidate, folder: Path) -> str:
    """SHA-256 over the descriptions of its bundles, which hold the checksums of their files."""
    lines = [f"{name} {sha256(folder / BUNDLES / name / BUNDLE_FILE)}" for name in candidate.folders]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _commit(folder: Path) -> str:
    """The commit that is checked out where the candidate lies, with ``-dirty`` when files differ; or empty."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
