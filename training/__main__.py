"""Command line: ``python -m training``."""

from pathlib import Path
from typing import Annotated

import typer

from training.config import load_config
from training.console import console, quiet_libraries
from training.prepare import prepare

app = typer.Typer(
    help="训练、校准、评估 · train, calibrate, evaluate", no_args_is_help=True, pretty_exceptions_enable=False
)

ConfigFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="训练配置 · training configuration (TOML)")
]
ModelsDir = Annotated[Path, typer.Option(help="模型目录 · folder with base.toml, encoders/ and heads/")]
WorkDir = Annotated[Path, typer.Option(help="中间结果 · checkpoints and downloads; may be deleted")]


@app.command("prepare")
def show_splits(config_file: ConfigFile) -> None:
    """读取、去重、划分数据并打印统计 · load, deduplicate and split the data, and print what there is."""
    from rich.table import Table

    table = Table("split", "source", "texts", "labels")
    for name, examples in prepare(load_config(config_file)).items():
        for source in sorted({example.source for example in examples}):
            part = [example for example in examples if example.source == source]
            labels = sorted({example.label for example in part})
            counts = ", ".join(f"{label} {sum(example.label == label for example in part)}" for label in labels)
            table.add_row(name, source, f"{len(part):,}", counts)
    console.print(table)


@app.command()
def run(config_file: ConfigFile, models: ModelsDir = Path("models"), work: WorkDir = Path("var/training")) -> None:
    """准备、微调、校准、评估并导出;中断后重跑即继续 · prepare, fine-tune, calibrate, evaluate and export; resumes."""
    from training.base import load_base_spec, obtain_base
    from training.export import export
    from training.train import train

    quiet_libraries()
    config = load_config(config_file)
    splits = prepare(config)
    spec = load_base_spec(models)
    base = obtain_base(spec, work.parent)
    model = train(config, base, spec.prefix.query, splits["train"], work / config.encoder)
    export(config, spec, base, model, splits, models)
    console.print(f"[green]✓[/green] {models}/encoders/{config.encoder}, {models}/heads")


if __name__ == "__main__":
    app()
