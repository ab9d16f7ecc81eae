"""A disk of its own, which only the process sees that uses it."""

import errno
import os
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SmallDisk:
    """The disk, as the process sees it that uses it."""

    process: int
    folder: Path

    @property
    def seen_from_here(self) -> Path:
        """The folder of the disk."""
        return Path(f"/proc/{self.process}/root", *self.folder.parts[1:])

    def fill(self) -> None:
        """Leave no room."""
        with (
            (self.seen_from_here / "ballast").open("wb", buffering=0) as ballast,
            pytest.raises(OSError, match=os.strerror(errno.ENOSPC)),
        ):
            _write_on(ballast)

    def empty(self) -> None:
        """Make room."""
        (self.seen_from_here / "ballast").unlink()


def _write_on(file: FileIO) -> None:
    while True:
        file.write(b"\0" * 4096)
