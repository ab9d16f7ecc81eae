"""Bytes to text: which encoding a file has, and its lines with the byte that does not fit it."""

import codecs
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from nlp_service.errors import InvalidRecord

CHUNK_BYTES = 1 << 18
MAX_LINE_BYTES = 1 << 20
_LONE_CARRIAGE_RETURN = re.compile(rb"(?<=\r)(?!\n)")


def detect(stream: BinaryIO) -> str:
    """``utf-8`` or ``gb18030``, read off the whole stream; the position is put back to the beginning.

    A file that is no UTF-8 is GB 18030 when it decodes to mostly common Chinese characters (those of GB 2312). One that
    is mostly UTF-8 with some broken bytes stays UTF-8, so that only the broken records are lost.
    """
    broken, total, _ = _score(stream, "utf-8")
    if broken * 2 <= total:
        return "utf-8"
    broken, total, common = _score(stream, "gb18030")
    return "gb18030" if broken <= common and common * 2 >= total else "utf-8"


def decode(content: bytes, declared: str | None = None) -> str:
    """The text of a whole file, without its byte order mark; `declared` is an encoding that the file names itself.

    Raises InvalidRecord naming the byte that does not fit.
    """
    encoding = declared or detect(io.BytesIO(content))
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidRecord(not_in(encoding, error.start), place=0) from error


def not_in(encoding: str, offset: int) -> str:
    """The message about a byte (from 0) that is not in the encoding."""
    name = encoding.upper()
    return f"第 {offset} 字节不是 {name} · not {name} at byte {offset}"


class Lines:
    """Decoded lines of a stream with their ends, in constant memory.

    A byte that does not fit the encoding, or a line over 1 MiB, of which only the beginning is given, is a problem that
    `take_problem` tells. With `carriage_returns`, a lone one ends a line too.
    """

    def __init__(self, stream: BinaryIO, encoding: str = "utf-8", *, carriage_returns: bool = False) -> None:
        self.number = 0
        self._problem: str | None = None
        self._encoding = encoding
        self._raw = _raw_lines(stream, carriage_returns=carriage_returns)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        offset, raw = next(self._raw)
        self.number += 1
        if len(raw) > MAX_LINE_BYTES:
            self._note(f"一行超过 {MAX_LINE_BYTES:,} 字节 · a line has more than {MAX_LINE_BYTES:,} bytes")
            raw = raw[:MAX_LINE_BYTES]
        try:
            line = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            self._note(not_in(self._encoding, offset + error.start))
            line = raw.decode(self._encoding, "replace")
        return line.removeprefix("\ufeff") if self.number == 1 else line

    def take_problem(self) -> str | None:
        """What was wrong with the lines since the last call, if anything."""
        problem, self._problem = self._problem, None
        return problem

    def _note(self, problem: str) -> None:
        self._problem = self._problem or problem


def _raw_lines(stream: BinaryIO, *, carriage_returns: bool) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of every line; of one that is too long, one byte more than the limit."""
    offset, begun = 0, b""
    while piece := stream.readline(MAX_LINE_BYTES + 1):
        lines = [begun + piece]
        if carriage_returns and b"\r" in piece:
            lines = _LONE_CARRIAGE_RETURN.split(lines[0])
        begun = b"" if piece.endswith(b"\n") else lines.pop()
        for line in lines:
            yield offset, line
            offset += len(line)
        if len(begun) > MAX_LINE_BYTES:
            yield offset, begun[: MAX_LINE_BYTES + 1]
            offset += len(begun) + _skip_line(stream)
            begun = b""
    if begun:
        yield offset, begun


def _skip_line(stream: BinaryIO) -> int:
    skipped = 0
    while piece := stream.readline(MAX_LINE_BYTES):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _score(stream: BinaryIO, encoding: str) -> tuple[int, int, int]:
    """Of the characters outside ASCII: places that cannot be decoded, all, and those of GB 2312."""
    broken = total = common = 0
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    stream.seek(0)
    while chunk := stream.read(CHUNK_BYTES):
        one = _count(decoder.decode(chunk))
        broken, total, common = broken + one[0], total + one[1], common + one[2]
    one = _count(decoder.decode(b"", final=True))
    stream.seek(0)
    return broken + one[0], total + one[1], common + one[2]


def _count(text: str) -> tuple[int, int, int]:
    if text.isascii():
        return 0, 0, 0
    other = re.sub(r"[\x00-\x7f]+", "", text)
    return other.count("\ufffd"), len(other), len(other.encode("gb2312", "ignore")) // 2
