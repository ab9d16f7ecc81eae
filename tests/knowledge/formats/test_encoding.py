"""Which encoding a file has, and lines in constant memory with what does not fit."""

import io

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.encoding import MAX_LINE_BYTES, Lines, decode, detect

CHINESE = "登录失败,输入密码后提示超时,重启以后还是一样。"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"plain ASCII", "utf-8"),
        (CHINESE.encode(), "utf-8"),
        (CHINESE.encode() + b"\xff\xfe" + CHINESE.encode(), "utf-8"),
        (CHINESE.encode("gb18030"), "gb18030"),
        (CHINESE.encode("gbk") * 20_000, "gb18030"),
        (CHINESE.encode("gb18030") + b"\xff" + CHINESE.encode("gb18030"), "gb18030"),
        ("connexion perdue, réglages oubliés, à bientôt".encode("latin-1"), "utf-8"),
    ],
    ids=["empty", "ASCII", "UTF-8", "broken UTF-8", "GB 18030", "long GBK", "broken GB 18030", "Latin-1"],
)
def test_the_encoding_is_read_off_the_bytes(content: bytes, encoding: str) -> None:
    assert detect(io.BytesIO(content)) == encoding


def test_a_character_on_the_border_of_what_is_read_at_once_is_not_broken() -> None:
    assert detect(io.BytesIO(b"a" + "登".encode() * 200_000)) == "utf-8"


def test_detection_puts_the_stream_back_to_its_beginning() -> None:
    stream = io.BytesIO(CHINESE.encode("gb18030"))
    detect(stream)
    assert stream.tell() == 0


@pytest.mark.parametrize("content", [f"\ufeff{CHINESE}".encode(), CHINESE.encode(), CHINESE.encode("gb18030")])
def test_a_whole_text_is_decoded_without_its_mark(content: bytes) -> None:
    assert decode(content) == CHINESE


def test_a_whole_text_that_cannot_be_decoded_names_the_byte() -> None:
    with pytest.raises(InvalidRecord, match="not UTF-8 at byte 3"):
        decode(b"abc\xff")


def test_a_declared_encoding_is_taken_at_its_word() -> None:
    with pytest.raises(InvalidRecord, match="not UTF-8 at byte 0"):
        decode(CHINESE.encode("gb18030"), "utf-8")


def test_lines_keep_their_ends() -> None:
    assert list(Lines(io.BytesIO(b"a\nb\r\nc"))) == ["a\n", "b\r\n", "c"]


def test_a_carriage_return_ends_a_line_only_when_asked_for() -> None:
    assert list(Lines(io.BytesIO(b"a\rb\r\nc\n"))) == ["a\rb\r\n", "c\n"]
    assert list(Lines(io.BytesIO(b"a\rb\r\nc\n"), carriage_returns=True)) == ["a\r", "b\r\n", "c\n"]


def test_a_file_of_carriage_returns_alone_may_be_long() -> None:
    assert sum(1 for _ in Lines(io.BytesIO(b"text\r" * 500_000), carriage_returns=True)) == 500_000


def test_a_problem_is_told_once() -> None:
    lines = Lines(io.BytesIO(b"\xff\nb\n"))
    next(lines)
    assert lines.take_problem() is not None
    assert lines.take_problem() is None


def test_the_first_problem_of_several_lines_is_told() -> None:
    lines = Lines(io.BytesIO(b"a\xff\nb\xff\n"))
    assert len(list(lines)) == 2
    assert "byte 1" in (lines.take_problem() or "")


def test_the_byte_after_a_long_line_is_counted_from_the_beginning_of_the_file() -> None:
    lines = Lines(io.BytesIO(b"x" * (3 * MAX_LINE_BYTES) + b"\n\xff\n"))
    assert "1,048,576" in ((next(lines) and lines.take_problem()) or "")
    next(lines)
    assert f"byte {3 * MAX_LINE_BYTES + 1}" in (lines.take_problem() or "")


def test_of_a_line_that_is_too_long_only_the_beginning_is_kept() -> None:
    assert [len(line) for line in Lines(io.BytesIO(b"x" * (5 * MAX_LINE_BYTES)))] == [MAX_LINE_BYTES]
