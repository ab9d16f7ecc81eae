"""Where messages and progress go: standard error, so that standard output stays clean for results."""

from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nlp_service.errors import ServiceError

console = Console(stderr=True, highlight=False)
output = Console(highlight=False)


def progress() -> Progress:
    """A progress bar with counts and times."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def bytes_progress() -> Progress:
    """A progress bar of what was read, since how many records a file holds is known only at its end."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def check_folder(file: Path) -> None:
    """Raise ServiceError when the folder of a file that is to be written does not exist."""
    if not file.absolute().parent.is_dir():
        raise ServiceError(f"{file.parent}: 目录不存在 · the folder does not exist")
