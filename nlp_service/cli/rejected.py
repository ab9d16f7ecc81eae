"""Records of an import that could not be stored: shown as they come, and kept in a file."""

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.markup import escape

from nlp_service.cli.console import console
from nlp_service.knowledge.formats.files import File
from nlp_service.knowledge.records import Bad

SHOWN = 20
"""Bad records that are shown when all of them are written to a file; otherwise all are shown."""


class Rejected:
    """Shows bad records as they come, and writes them to a file when there is one."""

    def __init__(self, file: Path | None) -> None:
        self.count = 0
        self.unreadable = ""
        """The first file that could not be read, and why."""
        self._stream = file.open("w", encoding="utf-8") if file is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, file: File, bad: Bad) -> None:
        """One more, at its place in a file."""
        name = str(file.path).encode("utf-8", "replace").decode("utf-8")
        line = f"{name} {bad.place}: {bad.reason}" if bad.place else f"{name}: {bad.reason}"
        self.count += 1
        self.unreadable = self.unreadable or ("" if bad.place else line)
        if self._stream is None or self.count <= SHOWN:
            console.print(f"[red]✗[/red] {escape(line)}")
        if self._stream is not None:
            record = {"file": name, "place": bad.place, "reason": bad.reason}
            self._stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._stream.flush()
