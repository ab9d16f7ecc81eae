"""The command line, and what an expected error looks like on the terminal."""

import sys
from contextlib import suppress
from typing import NoReturn

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.markup import escape

from nlp_service import __version__
from nlp_service.cli.commands import Commands
from nlp_service.cli.console import console
from nlp_service.errors import ServiceError
from nlp_service.logs import configure_logs
from nlp_service.settings import Settings
from nlp_service.wording import message_of

app = typer.Typer(
    help="读懂客户反馈:情感、故障还是需求、以前怎么解决 · sentiment, fault or request, and how it was solved before",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Makes this a group, which has commands beside the one below."""


@app.command()
def version() -> None:
    """显示版本 · show the version."""
    typer.echo(__version__)


def main() -> None:
    """Run; an expected error is one line, or one for each setting that is wrong, and exit code 1."""
    with suppress(ValidationError, SettingsError):  # a command that needs the settings says what is wrong with them
        configure_logs(Settings())
    try:
        app()
    except ServiceError as error:
        _end(str(error))
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        _end(*(f"NLP_{str(one['loc'][0]).upper()}: {message_of(one)}" for one in error.errors()))
    except SettingsError as error:
        _end(f'须为 JSON,如 ["published"] · must be JSON such as ["published"]: {error}')


def _end(*messages: str) -> NoReturn:
    for message in messages:
        console.print(f"[red]✗[/red] {escape(message)}")
    sys.exit(1)
