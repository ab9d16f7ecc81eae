"""Parts of a file read as they do in the whole."""

from pathlib import Path

import pytest

from nlp_service.feedback.survey import survey
from nlp_service.feedback.texts import read_span, read_texts

FILES = {
    "plain.txt": "很好用\n\n又闪退了\n发票\n",
    "comma.csv": 'id,text\n1,很好用\n2,"两\n行"\n3,"坏"引号\n4,又闪退了\r\n5,好\r6,慢\n',
    "tab.tsv": "id\ttext\n1\t很好用\n2\t\n3\t又闪退了\n",
    "lines.jsonl": '{"text": "很好用"}\n{\n{"id": 3, "text": "又闪退了"}\n"一句话"',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("name", FILES)
def test_the_parts_of_a_file_are_the_file(tmp_path: Path, name: str, size: int, encoding: str) -> None:
    file = tmp_path / name
    file.write_bytes(FILES[name].encode(encoding))
    found = survey(file, None, size)
    lines = [entry.line for part in found.parts for entry in read_span(file, found.layout, part.span)]
    assert lines == list(read_texts(file))
    assert {part.records for part in found.parts[:-1]} <= {size}


def test_bytes_in_no_encoding_do_not_shift_the_parts(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("text\n很好用\n".encode() + b"\xff\xff\n\xe4\xbd\n" + "又闪退了\n".encode())
    found = survey(file, None, 1)
    lines = [entry.line for part in found.parts for entry in read_span(file, found.layout, part.span)]
    assert lines == list(read_texts(file))


def test_fields_are_those_of_all_records_in_the_order_in_which_they_appear(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "好", "b": 1}\n{"text": 5, "no": 1}\n{"a": 1, "text": "慢"}\n', "utf-8")
    assert survey(file).fields == ("text", "b", "a")


def test_texts_are_counted_without_bad_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("好\n\n慢\n", "utf-8")
    found = survey(file)
    assert (found.texts, found.records) == (2, 3)
