"""Office files are ZIP archives of XML: what is refused before any of it is expanded or parsed."""

import zipfile
from typing import BinaryIO
from xml.parsers import expat

from nlp_service.errors import InvalidRecord

MAX_EXPANDED_BYTES = 100_000_000
MAX_RATIO = 200
"""Expanded to packed size; text packs 5 to 50 times, a bomb a thousand times."""
SMALL_BYTES = 1_000_000
"""Up to here any ratio is harmless."""
MAX_MEMBERS = 10_000
COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How encrypted files and those of the formats before 2007 begin."""


def check_archive(stream: BinaryIO, *, max_xml_bytes: int = MAX_EXPANDED_BYTES) -> None:
    """Raise InvalidRecord when the archive is encrypted, damaged, too large when expanded, or declares XML entities.

    `max_xml_bytes` limits all XML in it. The position is put back to the beginning.
    """
    if stream.read(len(COMPOUND_FILE)) == COMPOUND_FILE:
        raise InvalidRecord("文件已加密,或是 2007 年以前的格式 · encrypted, or in a format before 2007", place=0)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            _check_size(members, max_xml_bytes)
            for member in members:
                if _is_xml(member):
                    _check_prolog(archive, member)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, expat.ExpatError, OSError, ValueError) as error:
        raise InvalidRecord(f"文件已损坏 · the file is damaged: {type(error).__name__}", place=0) from error
    stream.seek(0)


def _check_size(members: list[zipfile.ZipInfo], max_xml_bytes: int) -> None:
    expanded = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    xml = sum(member.file_size for member in members if _is_xml(member))
    if any(member.flag_bits & 1 for member in members):
        raise InvalidRecord("文件已加密 · the file is encrypted", place=0)
    for size, limit, what in ((expanded, MAX_EXPANDED_BYTES, "解压后"), (xml, max_xml_bytes, "解压后的 XML")):
        if size > limit:
            detail = f"{what}有 {size:,} 字节,最多 {limit:,} · {size:,} bytes when expanded, at most {limit:,}"
            raise InvalidRecord(detail, place=0)
    if len(members) > MAX_MEMBERS:
        detail = (
            f"含有 {len(members):,} 个部分,最多 {MAX_MEMBERS:,} · has {len(members):,} parts, at most {MAX_MEMBERS:,}"
        )
        raise InvalidRecord(detail, place=0)
    if expanded > SMALL_BYTES and expanded > MAX_RATIO * packed:
        detail = f"压缩率超过 {MAX_RATIO} 倍,疑为压缩炸弹 · expands more than {MAX_RATIO} times, as a zip bomb does"
        raise InvalidRecord(detail, place=0)


def _is_xml(member: zipfile.ZipInfo) -> bool:
    return member.filename.lower().endswith((".xml", ".rels", ".vml"))


class _Started(Exception):
    """The first element began: no declarations can follow."""


def _check_prolog(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Office files never declare a document type; one that does wants entities expanded or fetched."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = _stop
    try:
        with archive.open(member) as part:
            parser.ParseFile(part)
    except _Started:
        return


def _refuse_doctype(*_: object) -> None:
    raise InvalidRecord("XML 含有文档类型声明或实体 · the XML declares a document type or entities", place=0)


def _stop(*_: object) -> None:
    raise _Started
