"""Where MLflow is: a server that the environment names, else files under ``var/mlflow``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from training.registry.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "nlp-service"
TRACKING_URI, REGISTRY_URI = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"
_MODEL_PREFIX = "nlp-service."
_QUIET = {"MLFLOW_LOGGING_LEVEL": "WARNING", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def model_name(target: str) -> str:
    """The registered model of a target, such as ``nlp-service.classify``."""
    return f"{_MODEL_PREFIX}{target}"


def target_of(model: str) -> str | None:
    """The target of a registered model; None for a model of another project."""
    return model.removeprefix(_MODEL_PREFIX) if model.startswith(_MODEL_PREFIX) else None


def local_folder(var_dir: Path) -> Path:
    """Database and artifacts where the environment names no server."""
    return var_dir.resolve() / "mlflow"


def has_store(var_dir: Path) -> bool:
    """Whether anything may be registered: a server is named, or the local database was made."""
    return bool(os.environ.get(TRACKING_URI) or os.environ.get(REGISTRY_URI)) or _database(var_dir).is_file()


@contextmanager
def open_client(var_dir: Path) -> "Iterator[MlflowClient]":
    """A client of MLflow; its errors become RegistryError. The local database is made when it is missing."""
    _quieten()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    database = _database(var_dir)
    tracking = os.environ.get(TRACKING_URI) or f"sqlite:///{database.as_posix()}"
    registry = os.environ.get(REGISTRY_URI) or tracking
    local_folder(var_dir).mkdir(parents=True, exist_ok=True)
    try:
        yield MlflowClient(tracking_uri=tracking, registry_uri=registry)
    except (MlflowException, SQLAlchemyError) as error:
        raise RegistryError(f"MLflow: {error}") from error


def experiment_id(client: "MlflowClient", var_dir: Path) -> str:
    """The experiment of all runs, made when it is missing."""
    if found := client.get_experiment_by_name(EXPERIMENT):
        return str(found.experiment_id)
    artifacts = None if os.environ.get(TRACKING_URI) else (local_folder(var_dir) / "artifacts").as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts))


def _quieten() -> None:
    """MLflow reads these when it is imported, so nothing imports it before."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def _database(var_dir: Path) -> Path:
    return local_folder(var_dir) / "mlflow.db"
