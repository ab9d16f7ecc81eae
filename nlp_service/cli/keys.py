"""``nlp-service keys``."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Table

from nlp_service.access.gate import NO_HASHING
from nlp_service.access.keys import KeyStore, NewKey, is_usable
from nlp_service.access.scopes import MEANINGS, SCOPES
from nlp_service.cli.console import console, output
from nlp_service.errors import AccessNotConfigured, InvalidText
from nlp_service.knowledge.article import Person
from nlp_service.knowledge.clock import utc_now
from nlp_service.settings import Settings
from nlp_service.storage.access_tables import ApiKey
from nlp_service.storage.database import Database

app = typer.Typer(help="API 密钥 · API keys", no_args_is_help=True, add_completion=False)
MAX_DAYS = 3650
_SCOPES_HELP = "权限范围,可多次 · scope, repeatable: " + "; ".join(f"{scope} {MEANINGS[scope]}" for scope in SCOPES)
Prefix = Annotated[str, typer.Argument(help="密钥前缀 · prefix, as `keys list` shows it: nlp_…")]


def _known(scopes: list[str]) -> list[str]:
    for scope in set(scopes) - set(SCOPES):
        raise typer.BadParameter(f"{scope}: 只能是 · must be one of {', '.join(SCOPES)}")
    return scopes


@app.command()
def create(
    name: Annotated[
        str, typer.Argument(help="谁使用,记为 by · who acts with it; stands as `by` in versions and events")
    ],
    scope: Annotated[list[str], typer.Option(callback=_known, help=_SCOPES_HELP)],
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="有效天数 · days until it expires")] = 365,
    requests_per_minute: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="每分钟请求数 · requests a minute; default NLP_REQUESTS_PER_MINUTE"),
    ] = None,
    for_others: Annotated[
        bool,
        typer.Option(
            help="可代他人操作:系统自行认证人员 · may name others as `by`: a system that signs people in itself"
        ),
    ] = False,
) -> None:
    """新建密钥,只显示一次 · make a key; it is shown once, on standard output."""
    settings = Settings()
    secret = _secret(settings)
    scopes = [one for one in SCOPES if one in scope]
    new = NewKey(_person(name), scopes, days, requests_per_minute, for_others)
    with _store(settings) as store:
        _show(store.create(new, secret))


@app.command("list")
def list_keys() -> None:
    """列出密钥 · list the keys, without their secret parts."""
    settings = Settings()
    with _store(settings) as store:
        keys = store.all()
    table = Table("前缀 · prefix", "名称 · name", "范围 · scopes", "每分钟 · rate", "到期 · expires", "状态 · state")
    for key in keys:
        limit = f"{key.requests_per_minute or settings.requests_per_minute:,}"
        name = escape(key.name) + (" (+)" if key.for_others else "")
        table.add_row(key.prefix, name, ", ".join(key.scopes), limit, f"{key.expires_at:%Y-%m-%d}", _state(key))
    output.print(table)
    if any(key.for_others for key in keys):
        output.print("(+) 可代他人操作 · may name others")


@app.command()
def rotate(
    prefix: Prefix,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=24 * 90, help="旧密钥再有效的小时数 · hours that the old key still works")
    ] = 24,
) -> None:
    """以新密钥代替 · make a key in the place of another, with its name, scopes and limits; it is shown once."""
    settings = Settings()
    secret = _secret(settings)
    with _store(settings) as store:
        _show(store.rotate(prefix, secret, overlap=timedelta(hours=overlap_hours)))
    console.print(f"{prefix} 再有效 {overlap_hours} 小时 · works for {overlap_hours} hours more")


@app.command()
def revoke(prefix: Prefix) -> None:
    """吊销密钥,一秒内生效 · revoke a key; running services refuse it within a second."""
    with _store(Settings()) as store:
        store.revoke(prefix)
    console.print(f"[green]✓[/green] 已吊销 · revoked: {prefix}")


def _show(credential: str) -> None:
    console.print("[green]✓[/green] 请妥善保存,不会再次显示 · keep it, it is not shown again:")
    typer.echo(credential)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"已吊销 · revoked {key.revoked_at:%Y-%m-%d}"
    return "有效 · valid" if is_usable(key, utc_now()) else "已过期 · expired"


def _secret(settings: Settings) -> bytes:
    if not settings.secret_bytes:
        raise AccessNotConfigured(NO_HASHING)
    return settings.secret_bytes


def _person(name: str) -> str:
    try:
        return TypeAdapter[str](Person).validate_python(name)
    except ValidationError as error:
        raise InvalidText(f"name: {error.errors()[0]['msg']}", field="name") from error


@contextmanager
def _store(settings: Settings) -> Iterator[KeyStore]:
    with closing(Database(settings.resolved_database_url)) as database:
        database.migrate()
        yield KeyStore(database)
