"""``nlp-service kb``."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nlp_service.cli.console import bytes_progress, check_folder, console, progress
from nlp_service.cli.evaluation import evaluate_search
from nlp_service.cli.export import export_articles
from nlp_service.cli.frequent import frequent_problems
from nlp_service.cli.rejected import Rejected
from nlp_service.cli.runtime import open_database, open_engine, open_knowledge
from nlp_service.errors import InvalidRecord, ServiceError
from nlp_service.knowledge.article import ArticleCreate
from nlp_service.knowledge.formats.export import Selection, count
from nlp_service.knowledge.formats.files import File, files_of
from nlp_service.knowledge.formats.importing import BATCH, Importer, batches
from nlp_service.knowledge.formats.registry import read
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad
from nlp_service.knowledge.store import ImportCounts
from nlp_service.settings import Settings

app = typer.Typer(help="知识库 · knowledge base", no_args_is_help=True, add_completion=False)
app.command("export")(export_articles)
app.command("evaluate")(evaluate_search)
app.command("frequent")(frequent_problems)


@app.command("import")
def import_articles(
    paths: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            help="JSONL、CSV、XLSX、Markdown、HTML、DOCX、PDF 文件或其目录 · files, or folders of them and all below",
        ),
    ],
    only_if_empty: Annotated[
        bool,
        typer.Option(help="知识库已有文章时不导入 · do nothing when there are articles; otherwise all or nothing"),
    ] = False,
    rejected: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="把未导入的记录写入此 JSONL 文件,此时退出码为 0 · file for all bad records; the exit code is then 0",
        ),
    ] = None,
) -> None:
    """导入文章,按 external_id 更新 · import articles; known external ids are updated, so twice changes nothing.

    没有 external_id 的记录以内容的散列为编号,内容改动后即为新文章 · A record without external_id gets one made from a
    hash of its title, problem, scenario, solution and product: the same again changes nothing, an edited one is new.

    文档的每个一、二级标题成为一篇,编号为所给目录下的路径加标题 · Every section of a document (headings of the first two
    levels) is an article, known by its path below the given folder and its headings: give the same folder each time.
    README files in folders are passed over.

    中断后重新运行即可 · After an interruption, run it again.
    """
    settings = Settings()
    if only_if_empty and _count(settings):
        console.print("[green]✓[/green] 知识库已有文章 · the knowledge base has articles already")
        return
    files = _files(paths, rejected)
    with Rejected(rejected) as bad:
        counts = _import(settings, files, bad, size=sys.maxsize if only_if_empty else BATCH)
    stored = counts.created + counts.updated + counts.unchanged
    if bad.unreadable and not stored:
        raise ServiceError(f"没有导入任何文章 · nothing was imported: {bad.unreadable}")
    console.print(
        f"[green]✓[/green] 新建 · created {counts.created}, 更新 · updated {counts.updated}, "
        f"未变 · unchanged {counts.unchanged}, 未导入 · rejected {bad.count}"
    )
    if bad.count:
        where = f" → {escape(str(rejected))}" if rejected is not None else ""
        console.print(f"[yellow]![/yellow] {bad.count:,} 条记录未导入 · records were not imported{where}")
    if bad.count and (rejected is None or not stored):
        raise typer.Exit(1)


@app.command("rebuild")
def rebuild() -> None:
    """重算缺失的向量,重建索引并存快照 · compute missing vectors, build the indexes anew and save a snapshot of them."""
    settings = Settings()
    with open_engine(settings) as engine, open_knowledge(settings, engine) as knowledge, progress() as bar:
        task = bar.add_task("重建索引 · rebuilding", total=None)
        count = knowledge.rebuild(lambda done, total: bar.update(task, completed=done, total=total))
    console.print(f"[green]✓[/green] {count:,} 篇已索引 · articles indexed")


def _files(paths: list[Path], rejected: Path | None) -> list[File]:
    """The files to read; never the one that bad records are written to."""
    if rejected is None:
        return files_of(paths)
    check_folder(rejected)
    target = rejected.resolve()
    if target in {path.resolve() for path in paths}:
        raise ServiceError(f"{rejected}: 不能覆盖输入 · the file of bad records would replace the input")
    return [file for file in files_of(paths) if file.path.resolve() != target]


def _import(settings: Settings, files: Sequence[File], bad: Rejected, *, size: int) -> ImportCounts:
    """Read and store in batches of `size`, so that an interrupted import keeps what it did."""
    with (
        open_engine(settings) as engine,
        open_knowledge(settings, engine) as knowledge,
        closing(open_database(settings)) as database,
        bytes_progress() as bar,
    ):
        importer = Importer(knowledge.store, database)
        task = bar.add_task("导入 · importing", total=sum(file.path.stat().st_size for file in files))
        articles = _articles(files, bad, lambda done: bar.update(task, completed=done))
        for batch in batches(articles, size):
            importer.add(batch)
    return importer.counts


def _articles(files: Sequence[File], bad: Rejected, done: Callable[[int], None]) -> Iterator[ArticleCreate]:
    """The good articles of all files; `done` is told how many bytes were read."""
    before = 0
    for file in files:
        try:
            with file.path.open("rb") as stream:
                for entry in read(Source(file.name, stream)):
                    done(before + (0 if stream.closed else stream.tell()))
                    if isinstance(entry, Bad):
                        bad.add(file, entry)
                    else:
                        yield entry.article
        except InvalidRecord as error:
            bad.add(file, Bad("", str(error)))
        except OSError as error:
            bad.add(file, Bad("", f"无法读取 · cannot be read: {error.strerror}"))
        before += file.path.stat().st_size
        done(before)


def _count(settings: Settings) -> int:
    with closing(open_database(settings)) as database:
        return count(database, Selection())
