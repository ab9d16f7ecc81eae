"""``nlp-service analyze``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from nlp_service.cli.console import console, output, progress
from nlp_service.cli.engines import AddressOption, EngineName, EngineOption
from nlp_service.cli.runtime import open_engine
from nlp_service.feedback.analysing import analyse_file, check_texts
from nlp_service.feedback.corpus_files import CorpusFile, corpus_files
from nlp_service.feedback.survey import survey
from nlp_service.feedback.tally import Tally
from nlp_service.feedback.texts import BadLine
from nlp_service.scale.cluster import ray_cluster
from nlp_service.scale.corpus import CorpusOptions, analyse_corpus
from nlp_service.settings import Settings

app = typer.Typer(add_completion=False)
SHOWN_BAD_LINES = 20


@app.command()
def analyze(
    files: Annotated[
        list[Path], typer.Argument(exists=True, help="CSV、JSONL、每行一条文本,或目录 · or a text a line, or a folder")
    ],
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="结果文件(.jsonl 或 .csv)或目录 · file or folder to write")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="文本所在的列或字段 · column or field of the text")] = None,
    engine: EngineOption = EngineName.LOCAL,
    address: AddressOption = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Ray 工作进程数,缺省为全部核 · Ray workers, a core each; default all cores"),
    ] = None,
    shard_records: Annotated[int, typer.Option(min=1, help="Ray 每片的行数 · records that a worker takes")] = 4096,
) -> None:
    """分析文件中每条文本的情感与类别 · sentiment and class of every text in a file."""
    wanted = corpus_files(files, output_file)
    if engine is EngineName.RAY:
        tally = _on_ray(wanted, CorpusOptions(text_column, workers, shard_records), address)
    else:
        tally = _here(wanted, text_column)
    _summary(tally)
    for file in wanted:
        console.print(f"[green]✓[/green] {escape(str(file.target))}")
    console.print(f"[green]✓[/green] {tally.texts:,} 条 · texts")


def _here(files: Sequence[CorpusFile], column: str | None) -> Tally:
    total = Tally()
    found = {file: survey(file.source, column) for file in files}
    for file in files:
        check_texts(file.source, found[file])
    with open_engine(Settings()) as engine, progress() as bar:
        task = bar.add_task("分析 · analysing", total=sum(one.texts for one in found.values()))
        for file in files:
            bad: list[BadLine] = []
            total.add(
                analyse_file(
                    file.source,
                    found[file],
                    file.target,
                    engine.analyse,
                    on_bad=bad.append,
                    on_texts=lambda texts: bar.advance(task, texts),
                )
            )
            _report_bad(bad)
    return total


def _on_ray(files: Sequence[CorpusFile], options: CorpusOptions, address: str | None) -> Tally:
    with ray_cluster(address, cpus=options.workers), progress() as bar:
        task = bar.add_task("分析 · analysing", total=None)
        tally = analyse_corpus(
            files, Settings(), options, lambda done, total: bar.update(task, completed=done, total=total)
        )
    for file in files:
        if file.rejected.exists():
            console.print(f"[yellow]![/yellow] 无法分析的行 · not analysed: {escape(str(file.rejected))}")
    return tally


def _report_bad(bad: list[BadLine]) -> None:
    for line in bad[:SHOWN_BAD_LINES]:
        console.print(
            f"[yellow]![/yellow] 第 {line.number} 行已跳过 · line {line.number} skipped: {escape(line.reason)}"
        )
    if len(bad) > SHOWN_BAD_LINES:
        numbers = ", ".join(str(line.number) for line in bad[SHOWN_BAD_LINES:])
        console.print(f"[yellow]![/yellow] 另有 {len(bad) - SHOWN_BAD_LINES} 行已跳过 · more skipped lines: {numbers}")


def _summary(tally: Tally) -> None:
    table = Table("", *tally.kinds, "合计 · all", title="情感 × 类别 · sentiment × class")
    counts = {label: tally.counts.get(label, {}) for label in ("negative", "neutral", "positive")}
    for label, row in counts.items():
        table.add_row(label, *(str(row.get(kind, 0)) for kind in tally.kinds), _share(sum(row.values()), tally.texts))
    columns = (sum(row.get(kind, 0) for row in counts.values()) for kind in tally.kinds)
    table.add_row("合计 · all", *(_share(column, tally.texts) for column in columns), str(tally.texts))
    output.print(table)
    output.print(f"需人工复核 · needs review: {_share(tally.review, tally.texts)}   跳过 · skipped: {tally.bad}")


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})"
