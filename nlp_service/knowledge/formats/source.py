"""A file that is read."""

import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO


@dataclass(frozen=True)
class Source:
    """An open file and its name: the path below the folder that was given, with `/` between the parts."""

    name: str
    stream: BinaryIO
    """Opened for reading, at its beginning; can be sought."""

    @property
    def suffix(self) -> str:
        """The end of the name that tells the format, in lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """The name of the file itself without its suffix."""
        return PurePosixPath(self.name).stem

    def size(self) -> int:
        """Bytes; the position stays."""
        position = self.stream.tell()
        size = self.stream.seek(0, os.SEEK_END)
        self.stream.seek(position)
        return size
