"""Progress of long steps on the terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` while a long step runs, and how long it took when it is done."""
    started = time.perf_counter()
    with console.status(title):
        if not console.is_terminal:
            console.print(f"… {title}")
        yield
    console.print(f"[green]✓[/green] {title} · {time.perf_counter() - started:.1f} s")


def quiet_libraries() -> None:
    """Silence progress bars and notes of libraries that say nothing a user could act on."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
