"""Texts from files: every line is a text or a problem, under its own number."""

from pathlib import Path

import pytest

from nlp_service.errors import ServiceError
from nlp_service.feedback.texts import BadLine, Line, read_texts


def _read(folder: Path, name: str, content: str | bytes, column: str | None = None) -> list[Line | BadLine]:
    file = folder / name
    file.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return list(read_texts(file, column))


def _good(lines: list[Line | BadLine]) -> list[tuple[int, str]]:
    return [(line.number, line.text) for line in lines if isinstance(line, Line)]


def _bad(lines: list[Line | BadLine]) -> list[int]:
    return [line.number for line in lines if isinstance(line, BadLine)]


FILES = {
    "plain.txt": "很好用\n又闪退了\n",
    "no suffix": "很好用\n又闪退了",
    "comma.csv": "id,text\n1,很好用\n2,又闪退了\n",
    "tab.tsv": "id\ttext\n1\t很好用\n2\t又闪退了\n",
    "SHOUTED.CSV": "text\n很好用\n又闪退了\n",
    "lines.jsonl": '{"text": "很好用"}\n{"text": "又闪退了"}\n',
    "lines.ndjson": '"很好用"\n"又闪退了"\n',
}
WITH_HEADER = {".csv", ".CSV", ".tsv"}


def _first(name: str) -> int:
    return 2 if Path(name).suffix in WITH_HEADER else 1


@pytest.mark.parametrize("name", FILES)
def test_every_text_comes_with_its_line_number(tmp_path: Path, name: str) -> None:
    first = _first(name)
    assert _good(_read(tmp_path, name, FILES[name])) == [(first, "很好用"), (first + 1, "又闪退了")]


@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_is_no_text(tmp_path: Path, name: str) -> None:
    assert _read(tmp_path, name, "\ufeff" + FILES[name]) == _read(tmp_path, name, FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_windows_line_ends_are_no_text(tmp_path: Path, name: str) -> None:
    windows = FILES[name].replace("\n", "\r\n")
    assert _good(_read(tmp_path, name, windows)) == _good(_read(tmp_path, name, FILES[name]))


@pytest.mark.parametrize("name", ["plain.txt", "comma.csv", "tab.tsv"])
def test_a_file_in_gb18030_is_read(tmp_path: Path, name: str) -> None:
    content = FILES[name].encode("gb18030")
    assert [text for _, text in _good(_read(tmp_path, name, content))] == ["很好用", "又闪退了"]


@pytest.mark.parametrize("name", ["plain.txt", "comma.csv", "lines.jsonl"])
def test_an_empty_line_is_a_bad_line(tmp_path: Path, name: str) -> None:
    head, _, tail = FILES[name].rstrip("\n").rpartition("\n")
    assert _bad(_read(tmp_path, name, f"{head}\n\n{tail}\n")) == [_first(name) + 1]


@pytest.mark.parametrize("name", ["plain.txt", "comma.csv", "lines.jsonl"])
def test_a_text_after_an_empty_line_keeps_its_number(tmp_path: Path, name: str) -> None:
    head, _, tail = FILES[name].rstrip("\n").rpartition("\n")
    assert _good(_read(tmp_path, name, f"{head}\n\n{tail}\n"))[-1] == (_first(name) + 2, "又闪退了")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "blank"), ("  ", "blank"), ("👍👍", "emoji"), ("长" * 2001, "at most 2,000")],
    ids=["empty", "blank", "emoji", "too long"],
)
@pytest.mark.parametrize("name", ["comma.csv", "tab.tsv", "lines.jsonl", "plain.txt"])
def test_a_text_that_cannot_be_analysed_is_a_bad_line(tmp_path: Path, name: str, text: str, reason: str) -> None:
    lines = _read(tmp_path, name, FILES[name].replace("又闪退了", text) + "\n" * (name == "plain.txt" and not text))
    bad = [line for line in lines if isinstance(line, BadLine)]
    assert [(line.number, reason in line.reason) for line in bad][:1] == [(_first(name) + 1, True)]


def test_white_space_around_a_text_is_removed(tmp_path: Path) -> None:
    assert _good(_read(tmp_path, "a.txt", "  很好用\t\n")) == [(1, "很好用")]


def test_bytes_in_no_encoding_spoil_their_line_only(tmp_path: Path) -> None:
    lines = _read(tmp_path, "a.txt", "很好用\n".encode() + b"\xff\xff\n" + "又闪退了\n".encode())
    assert (_good(lines), _bad(lines)) == ([(1, "很好用"), (3, "又闪退了")], [2])


def test_bytes_in_no_encoding_spoil_their_row_only(tmp_path: Path) -> None:
    lines = _read(tmp_path, "a.csv", "text\n很好用\n".encode() + b"\xff\xff\n" + "又闪退了\n".encode())
    assert (_good(lines), _bad(lines)) == ([(2, "很好用"), (4, "又闪退了")], [3])


def test_a_replacement_character_that_the_customer_sent_is_text(tmp_path: Path) -> None:
    assert _good(_read(tmp_path, "a.csv", "text\n显示乱码\ufffd\n")) == [(2, "显示乱码\ufffd")]


class TestCsv:
    def test_a_row_over_several_lines_has_the_number_of_its_first(self, tmp_path: Path) -> None:
        lines = _read(tmp_path, "a.csv", 'text\n"第一行\n第二行"\n很好用\n')
        assert _good(lines) == [(2, "第一行\n第二行"), (4, "很好用")]

    def test_the_record_holds_the_other_columns(self, tmp_path: Path) -> None:
        (line,) = _read(tmp_path, "a.csv", "id,text,channel\n7,很好用,survey\n")
        assert isinstance(line, Line)
        assert line.record == {"id": "7", "text": "很好用", "channel": "survey"}

    @pytest.mark.parametrize("name", ["text", "content", "内容", "反馈"])
    def test_a_usual_column_is_found(self, tmp_path: Path, name: str) -> None:
        assert _good(_read(tmp_path, "a.csv", f"id,{name}\n7,很好用\n")) == [(2, "很好用")]

    def test_the_only_column_is_taken_whatever_its_name(self, tmp_path: Path) -> None:
        assert _good(_read(tmp_path, "a.csv", "吐槽\n很好用\n")) == [(2, "很好用")]

    def test_a_named_column_is_preferred_to_the_usual_ones(self, tmp_path: Path) -> None:
        assert _good(_read(tmp_path, "a.csv", "text,note\n甲,很好用\n", column="note")) == [(2, "很好用")]

    @pytest.mark.parametrize("column", [None, "text"])
    def test_a_missing_column_is_an_error_that_names_the_columns(self, tmp_path: Path, column: str | None) -> None:
        with pytest.raises(ServiceError, match="编号, 吐槽"):
            _read(tmp_path, "a.csv", "编号,吐槽\n1,很好用\n", column)

    def test_a_short_row_is_a_bad_line(self, tmp_path: Path) -> None:
        lines = _read(tmp_path, "a.csv", "id,text\n1\n2,很好用\n")
        assert (_bad(lines), _good(lines)) == ([2], [(3, "很好用")])

    def test_a_row_with_a_broken_quote_is_a_bad_line(self, tmp_path: Path) -> None:
        assert _bad(_read(tmp_path, "a.csv", 'text\n"很好"用\n又闪退了\n')) == [2]

    def test_a_row_after_a_broken_one_keeps_its_number(self, tmp_path: Path) -> None:
        assert _good(_read(tmp_path, "a.csv", 'text\n"很好"用\n又闪退了\n')) == [(3, "又闪退了")]

    @pytest.mark.parametrize("content", ["", '"text\n很好用\n'], ids=["empty", "broken header"])
    def test_a_file_without_a_header_is_an_error(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(ServiceError):
            _read(tmp_path, "a.csv", content)


class TestJsonLines:
    def test_the_record_is_the_object(self, tmp_path: Path) -> None:
        (line,) = _read(tmp_path, "a.jsonl", '{"id": 7, "text": "很好用"}\n')
        assert isinstance(line, Line)
        assert line.record == {"id": 7, "text": "很好用"}

    @pytest.mark.parametrize("name", ["text", "content", "评论"])
    def test_a_usual_field_is_found(self, tmp_path: Path, name: str) -> None:
        assert _good(_read(tmp_path, "a.jsonl", f'{{"id": 7, "{name}": "很好用"}}')) == [(1, "很好用")]

    def test_a_named_field_is_preferred_to_the_usual_ones(self, tmp_path: Path) -> None:
        assert _good(_read(tmp_path, "a.jsonl", '{"text": "甲", "note": "很好用"}', "note")) == [(1, "很好用")]

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ('{"text": ', "not valid JSON"),
            ("[" * 100_000, "not valid JSON"),
            ("[1]", "not a JSON object"),
            ("null", "not a JSON object"),
            ('{"text": 3}', "field text is not a string"),
            ('{"note": "很好用"}', "field text is not a string"),
            ('{"text": "好\\u0000"}', "NUL"),
            ('{"text": "好\\ud800"}', "surrogate"),
        ],
        ids=["cut", "deep", "list", "null", "number", "missing", "NUL", "lone surrogate"],
    )
    def test_a_bad_line_says_what_is_wrong_with_it(self, tmp_path: Path, line: str, reason: str) -> None:
        bad = [
            item for item in _read(tmp_path, "a.jsonl", f'"很好用"\n{line}\n"又闪退了"\n') if isinstance(item, BadLine)
        ]
        assert [(item.number, reason in item.reason) for item in bad] == [(2, True)]

    def test_bytes_in_no_encoding_are_a_bad_line(self, tmp_path: Path) -> None:
        assert _bad(_read(tmp_path, "a.jsonl", b'"ok"\n{"text": "\xff"}\n"ok"\n')) == [2]


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_an_empty_file_has_no_texts(tmp_path: Path, name: str) -> None:
    assert _read(tmp_path, name, b"") == []
