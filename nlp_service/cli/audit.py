"""``nlp-service audit``."""

from contextlib import closing
from typing import Annotated

import typer
from rich.table import Table

from nlp_service.access.audit import audit_page
from nlp_service.cli.console import output
from nlp_service.settings import Settings
from nlp_service.storage.database import Database

app = typer.Typer(help="审计记录 · the record of who wrote", no_args_is_help=True, add_completion=False)


@app.callback()
def _commands() -> None:
    """Lets a single command keep its name."""


@app.command("list")
def list_events(
    key: Annotated[str | None, typer.Option(help="只列此密钥前缀 · only of this key's prefix")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="最多几条 · how many at most")] = 50,
) -> None:
    """列出写操作,新的在前 · list writing requests and changes of keys, the newest first."""
    with closing(Database(Settings().resolved_database_url)) as database:
        database.migrate()
        events = audit_page(database, key_prefix=key, limit=limit)
    table = Table(
        "时间 · time (UTC)", "密钥 · key", "请求 · request", "对象 · resource", "状态 · status", "编号 · request id"
    )
    for event in events:
        cells = (event.key_prefix, f"{event.method} {event.route}", event.resource, event.status, event.request_id)
        table.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", *("–" if cell is None else str(cell) for cell in cells))
    output.print(table)
