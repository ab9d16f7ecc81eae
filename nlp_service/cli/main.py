"""The commands, and what an expected error looks like on the terminal."""

import sys
from contextlib import suppress

import typer
from pydantic import ValidationError
from rich.markup import escape

from nlp_service import __version__
from nlp_service.cli import analyze, audit, evaluation, feedback, frequent, keys, knowledge, models, search, serve
from nlp_service.cli.console import console
from nlp_service.errors import ServiceError
from nlp_service.logs import configure_logs
from nlp_service.settings import Settings

app = typer.Typer(
    help="读懂客户反馈:情感、故障还是需求、以前怎么解决 · sentiment, fault or request, and how it was solved before",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("analyze")(analyze.analyze)
app.command("search")(search.search)
knowledge.app.command("evaluate")(evaluation.evaluate_search)
knowledge.app.command("frequent")(frequent.frequent_problems)
app.add_typer(knowledge.app, name="kb")
app.add_typer(feedback.app, name="feedback")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")


@app.command()
def version() -> None:
    """显示版本 · show the version."""
    typer.echo(__version__)


def main() -> None:
    """Run; an expected error is one line and exit code 1."""
    with suppress(ValidationError):  # a command that needs the settings says what is wrong with them
        configure_logs(Settings())
    try:
        app()
    except ServiceError as error:
        console.print(f"[red]✗[/red] {escape(str(error))}")
        sys.exit(1)
