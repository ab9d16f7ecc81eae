"""``nlp-service kb export``."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nlp_service.cli.console import check_folder, console, progress
from nlp_service.cli.runtime import open_database
from nlp_service.errors import ServiceError
from nlp_service.knowledge.formats.export import ExportFormat, Selection, count, export
from nlp_service.knowledge.formats.registry import INSTALL
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.storage.statuses import ArticleStatus

FORMATS: dict[str, ExportFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
Done = Callable[[int], None]


def export_articles(
    target: Annotated[
        Path,
        typer.Argument(help="文件(.jsonl、.csv)或 Markdown 目录 · a file, .jsonl or .csv, or a folder for Markdown"),
    ],
    status: Annotated[ArticleStatus | None, typer.Option(help="只导出此状态 · only this status")] = None,
    product: Annotated[str | None, typer.Option(help="只导出此产品 · only this product")] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="更新目录中以前导出的文件,其余不动 · update an earlier export; other files in the folder stay",
        ),
    ] = False,
) -> None:
    """导出文章为 JSONL、CSV 或 Markdown 目录 · export articles as JSON Lines, CSV, or a folder of Markdown files.

    All in the form that import reads, which changes nothing in the articles that it came from.

    CSV 中会被当作公式的单元格前加 ',导入时去除 · In CSV, a cell that a spreadsheet would run as a formula gets an
    apostrophe in front, which import takes away.

    Markdown 每篇一个文件,可修改后再导入 · In Markdown every article is a file, to be edited and imported again: the
    text under its headings counts as it stands.
    """
    form = FORMATS.get(target.suffix.lower())
    is_folder = target.is_dir() or not target.suffix
    if form is None and not is_folder:
        detail = "文件名须以 .jsonl 或 .csv 结尾,目录名不含点 · a file name must end in .jsonl or .csv"
        raise ServiceError(f"{target}: {detail}; a new folder's has no dot")
    check_folder(target)
    selection = Selection(status, product)
    with closing(open_database(Settings())) as database, progress() as bar:
        task = bar.add_task("导出 · exporting", total=count(database, selection))

        def done(articles: int) -> None:
            bar.advance(task, articles)

        if form is None or is_folder:
            written = _to_folder(database, selection, target, done, replace=replace)
        else:
            written = _to_file(database, form, selection, target, done)
    console.print(f"[green]✓[/green] {written:,} 篇 · articles → {escape(str(target))}")


def _to_file(database: Database, form: ExportFormat, selection: Selection, file: Path, done: Done) -> int:
    partial = file.with_name(file.name + ".partial")
    written = 0
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            for page in export(database, form, selection):
                stream.write(page.text)
                written += page.articles
                done(page.articles)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return written


def _to_folder(database: Database, selection: Selection, folder: Path, done: Done, *, replace: bool) -> int:
    try:
        from nlp_service.knowledge.formats.markdown_folder import export_folder
    except ModuleNotFoundError as error:
        raise ServiceError(f"导出 Markdown 需要 {error.name} · Markdown needs {error.name}: {INSTALL}") from error
    return export_folder(database, selection, folder, replace=replace, done=done)
