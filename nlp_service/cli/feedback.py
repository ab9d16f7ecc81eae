"""``nlp-service feedback``."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from nlp_service.cli.console import bytes_progress, check_folder, console
from nlp_service.cli.rejected import Rejected
from nlp_service.cli.runtime import open_engine
from nlp_service.errors import InvalidRecord, ServiceError
from nlp_service.feedback.analysis import analyse
from nlp_service.feedback.importing import FeedbackImporter, Good
from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.formats.files import File
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

app = typer.Typer(help="工单与评价 · tickets and reviews", no_args_is_help=True, add_completion=False)
BATCH = 64


@app.callback()
def _commands() -> None:
    """Lets a single command keep its name."""


@app.command("import")
def import_feedback(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSONL 或 CSV 文件 · .jsonl or .csv file")],
    rejected: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="把未导入的记录写入此 JSONL 文件,此时退出码为 0 · file for all bad records; the exit code is then 0",
        ),
    ] = None,
) -> None:
    """导入工单与评价,按 external_id 更新 · import tickets and reviews; known external ids are updated.

    字段与 POST /v1/feedback 相同,CSV 的表头即字段名 · The fields are those of POST /v1/feedback; in CSV they are the
    header. Solved tickets (status solved, with their solution) become cases that search finds.

    没有 external_id 的记录以内容的散列为编号 · A record without external_id gets one made from a hash of its kind,
    text, customer, product and time: the same file again changes nothing.

    中断后重新运行即可 · After an interruption, run it again.
    """
    if rejected is not None:
        check_folder(rejected)
        if rejected.resolve() == file.resolve():
            raise ServiceError(f"{rejected}: 不能覆盖输入 · the file of bad records would replace the input")
    with Rejected(rejected) as bad:
        importer = _import(Settings(), File(file, file.name), bad)
    stored = importer.created + importer.updated + importer.unchanged
    if bad.unreadable and not stored:
        raise ServiceError(f"没有导入任何记录 · nothing was imported: {bad.unreadable}")
    console.print(
        f"[green]✓[/green] 新建 · created {importer.created}, 更新 · updated {importer.updated}, "
        f"未变 · unchanged {importer.unchanged}, 未导入 · rejected {bad.count}"
    )
    if bad.count:
        where = f" → {escape(str(rejected))}" if rejected is not None else ""
        console.print(f"[yellow]![/yellow] {bad.count:,} 条记录未导入 · records were not imported{where}")
    if bad.count and (rejected is None or not stored):
        raise typer.Exit(1)


def _import(settings: Settings, file: File, bad: Rejected) -> FeedbackImporter:
    """Read and store in batches, so that an interrupted import keeps what it did."""
    with open_engine(settings) as engine, _open_store(settings, engine) as store, bytes_progress() as bar:
        importer = FeedbackImporter(store, engine.model("classify").labels)
        task = bar.add_task("导入 · importing", total=file.path.stat().st_size)
        entries = _entries(importer, file, bad, lambda done: bar.update(task, completed=done))
        while batch := list(islice(entries, BATCH)):
            for refused in importer.add(batch):
                bad.add(file, refused)
    return importer


def _entries(importer: FeedbackImporter, file: File, bad: Rejected, done: Callable[[int], None]) -> Iterator[Good]:
    """The good records of the file; `done` is told how many bytes were read."""
    try:
        with file.path.open("rb") as stream:
            for entry in importer.read(Source(file.name, stream)):
                done(stream.tell())
                if isinstance(entry, Bad):
                    bad.add(file, entry)
                else:
                    yield entry
    except InvalidRecord as error:
        bad.add(file, Bad("", str(error)))
    except OSError as error:
        bad.add(file, Bad("", f"无法读取 · cannot be read: {error.strerror}"))


@contextmanager
def _open_store(settings: Settings, engine: Engine) -> Iterator[FeedbackStore]:
    with closing(Database(settings.resolved_database_url)) as database:
        database.migrate()
        yield FeedbackStore(database, partial(analyse, engine), engine.encode_passages, engine.search_model.fingerprint)
