"""``nlp-service kb``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nlp_service.cli.console import check_folder, console, progress
from nlp_service.cli.runtime import open_engine, open_knowledge
from nlp_service.errors import ServiceError
from nlp_service.knowledge.article import ArticleCreate, ArticlePublic
from nlp_service.knowledge.records import Parsed, parse_csv, parse_jsonl
from nlp_service.knowledge.store import ArticleStore, ImportCounts, all_articles, count_articles
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

app = typer.Typer(help="知识库 · knowledge base", no_args_is_help=True)
CHUNK = 64
EXPORTED = set(ArticleCreate.model_fields)


@app.command("import")
def import_articles(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, help="JSONL / CSV 文件或其目录 · files, or folders of them")
    ],
    only_if_empty: Annotated[
        bool, typer.Option(help="知识库已有文章时不导入 · do nothing when there are articles")
    ] = False,
) -> None:
    """导入文章,按 external_id 更新 · import articles; known external ids are updated, so twice changes nothing."""
    settings = Settings()
    if only_if_empty and _count(settings):
        console.print("[green]✓[/green] 知识库已有文章 · the knowledge base has articles already")
        return
    parsed = {file: _parse(file) for file in _files(paths)}
    articles = [article for part in parsed.values() for _, article in part.articles]
    with open_engine(settings) as engine, open_knowledge(settings, engine) as knowledge:
        total = _import(knowledge.store, articles, whole=only_if_empty)
    console.print(
        f"[green]✓[/green] 新建 · created {total.created}, 更新 · updated {total.updated}, "
        f"未变 · unchanged {total.unchanged}"
    )
    rejected = [(file, index, reason) for file, part in parsed.items() for index, reason in part.rejected]
    for file, index, reason in rejected:
        place = f"{file} 第 {index + 1} 条 · record {index + 1}"
        console.print(f"[red]✗[/red] {escape(f'{place}: {reason}')}")
    if rejected:
        raise typer.Exit(1)


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="JSONL 文件 · file to write")],
) -> None:
    """导出全部文章为 JSONL · export all articles as JSON Lines, in the form that import reads."""
    check_folder(file)
    settings = Settings()
    database = Database(settings.resolved_database_url)
    database.migrate()
    partial = file.with_name(file.name + ".partial")
    count = 0
    with partial.open("w", encoding="utf-8") as stream:
        for article in map(ArticlePublic.model_validate, all_articles(database)):
            stream.write(json.dumps(article.model_dump(include=EXPORTED), ensure_ascii=False) + "\n")
            count += 1
    partial.replace(file)
    database.close()
    console.print(f"[green]✓[/green] {count:,} 篇 · articles → {escape(str(file))}")


@app.command("rebuild")
def rebuild() -> None:
    """重算缺失的向量并试建索引 · compute missing vectors and build both indexes from the database."""
    settings = Settings()
    with open_engine(settings) as engine, open_knowledge(settings, engine) as knowledge, progress() as bar:
        task = bar.add_task("重建索引 · rebuilding", total=None)
        knowledge.search.rebuild(lambda done, total: bar.update(task, completed=done, total=total))
        count = len(knowledge.search)
    console.print(f"[green]✓[/green] {count:,} 篇已索引 · articles indexed")


def _files(paths: list[Path]) -> list[Path]:
    files = [
        file
        for path in paths
        for file in (sorted([*path.glob("*.jsonl"), *path.glob("*.csv")]) if path.is_dir() else [path])
    ]
    if not files:
        raise ServiceError("目录中没有 .jsonl 或 .csv 文件 · the folder holds no .jsonl or .csv files")
    return files


def _parse(file: Path) -> Parsed:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ServiceError(f"{file}: 第 {error.start} 字节不是 UTF-8 · not UTF-8 at byte {error.start}") from error
    if file.suffix.lower() in {".jsonl", ".ndjson"}:
        return parse_jsonl(text)
    if file.suffix.lower() == ".csv":
        return parse_csv(text)
    raise ServiceError(f"{file}: 只支持 .jsonl 与 .csv · only .jsonl and .csv are read")


def _import(store: ArticleStore, articles: list[ArticleCreate], *, whole: bool) -> ImportCounts:
    """Import in chunks, so that an interrupted import keeps what it did; or `whole`, all or nothing."""
    total = ImportCounts()
    size = max(len(articles), 1) if whole else CHUNK
    with progress() as bar:
        for chunk in bar.track(list(_chunks(articles, size)), description="导入 · importing"):
            counts = store.import_articles(chunk)
            total.created += counts.created
            total.updated += counts.updated
            total.unchanged += counts.unchanged
    return total


def _chunks(articles: list[ArticleCreate], size: int) -> Iterator[list[ArticleCreate]]:
    for start in range(0, len(articles), size):
        yield articles[start : start + size]


def _count(settings: Settings) -> int:
    database = Database(settings.resolved_database_url)
    database.migrate()
    try:
        return count_articles(database)
    finally:
        database.close()
