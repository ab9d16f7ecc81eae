import subprocess
from pathlib import Path

import pytest

from training.registry.errors import RegistryError
from training.registry.tracking import model_name, open_client, target_of

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning")


def test_nothing_is_asked_of_the_network(first_use: subprocess.CompletedProcess[str]) -> None:
    assert first_use.stdout == ""


def test_nothing_is_printed(first_use: subprocess.CompletedProcess[str]) -> None:
    assert first_use.stderr == ""


def test_everything_lies_in_one_folder(database: Path, home: Path) -> None:
    assert (database.is_file(), {file.name for file in home.iterdir()}) == (True, {"mlflow"})


def test_errors_of_mlflow_are_expected_errors(var: Path) -> None:
    with pytest.raises(RegistryError, match=r"MLflow: .*nowhere"), open_client(var) as client:
        client.get_registered_model("nowhere")


def test_a_database_that_is_none_is_an_expected_error(var: Path) -> None:
    (var / "mlflow" / "mlflow.db").write_bytes(b"x" * 4096)
    with pytest.raises(RegistryError, match="MLflow: "), open_client(var):
        pass


def test_a_registered_model_names_its_target() -> None:
    assert (target_of(model_name("classify")), target_of("somebody-else")) == ("classify", None)
