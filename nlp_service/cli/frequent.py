"""``nlp-service kb frequent``."""

from contextlib import closing
from datetime import datetime
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Table

from nlp_service.cli.console import output
from nlp_service.cli.runtime import open_engine, open_knowledge
from nlp_service.errors import InvalidText
from nlp_service.feedback.moment import Moment
from nlp_service.knowledge.frequent import Frequent, FrequentProblems, Problem
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from nlp_service.wording import message_of

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


def frequent_problems(
    since: Annotated[str | None, typer.Option(help="起,默认止前 30 天 · written then or later, ISO 8601")] = None,
    until: Annotated[str | None, typer.Option(help="止,默认现在 · written before, ISO 8601")] = None,
    product: Annotated[str | None, typer.Option(help="限定产品 · only this product")] = None,
    label: Annotated[list[str] | None, typer.Option(help="限定类别,默认除 other 外全部 · only these classes")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="返回条数 · number of problems")] = 10,
) -> None:
    """一段时间的高频问题与知识缺口 · the most frequent problems of a period, and those that no article answers."""
    begin, end = _moment(since, "since"), _moment(until, "until")
    settings = Settings()
    with (
        open_engine(settings) as engine,
        open_knowledge(settings, engine) as knowledge,
        closing(Database(settings.resolved_database_url)) as database,
    ):
        labels = engine.heads["classify"].bundle.labels
        finder = FrequentProblems(database, knowledge.search, engine.encode_query, labels)
        found = finder.top(since=begin, until=end, product=product, labels=label or (), limit=limit)
    _print(found)


def _moment(value: str | None, name: str) -> datetime | None:
    if value is None:
        return None
    try:
        return _MOMENT.validate_python(value)
    except ValidationError as error:
        raise InvalidText(f"{name}: {message_of(error.errors()[0])}", field=name) from error


def _print(found: Frequent) -> None:
    period = f"{found.period.since:%Y-%m-%d %H:%M} – {found.period.until:%Y-%m-%d %H:%M} UTC"
    output.print(f"{period}, {found.tickets:,} 条工单 · tickets")
    if not found.problems:
        output.print("没有重复出现的问题 · no problem was reported twice")
        return
    table = Table("#", "问题 · problem", "工单 · tickets", "占比 · share", "较前期 · change", "文章 · article")
    for rank, problem in enumerate(found.problems, start=1):
        table.add_row(
            str(rank),
            escape(problem.title),
            str(problem.size),
            f"{problem.share:.1%}",
            f"{problem.size - problem.previous:+d}",
            _answer(problem),
        )
    output.print(table)


def _answer(problem: Problem) -> str:
    hit = problem.article
    best = f"{escape(hit.document.title)} ({hit.score:.0%})" if hit is not None else ""
    return f"[red]缺 · gap[/red] [dim]{best}[/dim]".rstrip() if problem.gap else best
