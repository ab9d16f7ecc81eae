"""Office files are looked through before they are expanded."""

import io
import zipfile

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.archive import check_archive
from tests.knowledge.formats.samples import archive, docx, entries, xlsx

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><w:document>&b;'
    "</w:document>"
)
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE d SYSTEM "file:///etc/hostname"><d/>'


def _check(content: bytes) -> None:
    check_archive(io.BytesIO(content))


@pytest.mark.parametrize("content", [docx((0, "登录失败")), xlsx(("title",))], ids=["DOCX", "XLSX"])
def test_an_ordinary_file_passes_and_is_put_back_to_its_beginning(content: bytes) -> None:
    stream = io.BytesIO(content)
    check_archive(stream)
    assert stream.tell() == 0


@pytest.mark.parametrize("suffix", ["docx", "xlsx"])
def test_what_expands_to_more_than_100_mb_is_refused(suffix: str) -> None:
    with pytest.raises(InvalidRecord, match="105,000,000 bytes when expanded, at most 100,000,000"):
        entries(f"a.{suffix}", archive({"big.bin": b"\0" * 105_000_000}))


def test_what_expands_two_hundred_times_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="as a zip bomb does"):
        _check(archive({"word/document.xml": b"<a>" + b" " * 5_000_000}))


def test_many_parts_are_added_up() -> None:
    with pytest.raises(InvalidRecord, match="when expanded"):
        _check(archive({f"{number}.bin": bytes([number]) * 10_500_000 for number in range(10)}))


def test_a_small_file_may_be_of_one_letter() -> None:
    _check(archive({"word/document.xml": b"<a>" + b" " * 900_000 + b"</a>"}))


def test_too_many_parts_are_refused() -> None:
    with pytest.raises(InvalidRecord, match="10,000"):
        _check(archive({f"{number}.txt": b"" for number in range(10_001)}))


def test_more_xml_than_a_document_may_have_is_refused() -> None:
    words = "".join(f"{number:x} " for number in range(3_500_000))
    with pytest.raises(InvalidRecord, match="at most 20,000,000"):
        entries("a.docx", docx((0, words)))


@pytest.mark.parametrize("part", [LAUGHS, EXTERNAL, LAUGHS.encode("utf-16"), EXTERNAL.replace("<!D", "<!-- x --><!D")])
@pytest.mark.parametrize("name", ["word/document.xml", "_rels/.rels", "customXml/item1.xml"])
def test_a_document_type_is_refused_wherever_it_stands(name: str, part: str | bytes) -> None:
    with pytest.raises(InvalidRecord, match="declares a document type or entities"):
        _check(archive({name: part}))


def test_an_encrypted_file_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="encrypted"):
        entries("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000)


def test_an_encrypted_part_is_refused() -> None:
    content = bytearray(archive({"word/document.xml": b"<a/>"}))
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1
    with pytest.raises(InvalidRecord, match="encrypted"):
        _check(bytes(content))


@pytest.mark.parametrize("cut", [0, 1, 100, 400])
@pytest.mark.parametrize("suffix", ["docx", "xlsx"])
def test_a_file_that_breaks_off_is_refused(suffix: str, cut: int) -> None:
    whole = docx((0, "登录失败")) if suffix == "docx" else xlsx(("title",))
    with pytest.raises(InvalidRecord, match="damaged"):
        entries(f"a.{suffix}", whole[:cut])


def test_a_wrong_checksum_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("word/document.xml", "<!-- abc --><a/>")
    with pytest.raises(InvalidRecord, match="damaged"):
        _check(stream.getvalue().replace(b"abc", b"abd"))


def test_a_part_that_lies_about_its_size_is_refused() -> None:
    content = bytearray(archive({"word/document.xml": b"<!-- " + b"x" * 500_000 + b" --><a/>"}))
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = (100).to_bytes(4, "little")
    with pytest.raises(InvalidRecord, match="damaged"):
        _check(bytes(content))


def test_another_file_under_the_name_of_a_document_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="damaged"):
        entries("a.docx", archive({"hello.txt": b"hello"}))
