"""PDF with text: sections by its bookmarks, or else by lines that are set larger than the rest."""

import logging
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any

from pypdf import PdfReader
from pypdf.errors import DependencyError

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.blocks import Block, Content, Heading
from nlp_service.knowledge.formats.chunks import articles
from nlp_service.knowledge.formats.damage import as_damage
from nlp_service.knowledge.formats.pdf_lines import (
    LARGER,
    Line,
    body_size,
    page_lines,
    paragraphs,
    without_running_lines,
)
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Entry

MAX_PAGES = 5000
MAX_HEADING = 80
"""Characters; a longer line is no heading."""
HEADING_SIZES = 3
Bookmark = tuple[int, str, int]
"""Level from 1, title, page from 1."""


def read(source: Source) -> Iterator[Entry]:
    """An article for each section.

    Raises InvalidRecord when the file is damaged or encrypted, has too many pages, or no text: a scan.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong is reported once, by this service
    return articles(source, _content(source))


def _content(source: Source) -> Content:
    with as_damage():
        document = PdfReader(source.stream)
        _check(document)
        lines = [line for number, page in enumerate(document.pages, start=1) for line in page_lines(page, number)]
        bookmarks = list(_bookmarks(document, document.outline, 1))
        metadata = document.metadata
        title = str(metadata.title or "").strip() if metadata is not None else ""
    if not any(line.text for line in lines):
        raise InvalidRecord("没有文字,可能是扫描件 · no text in it, probably scanned", place=0)
    lines = without_running_lines(lines)
    marked = _marked(lines, bookmarks) if bookmarks else _by_size(lines)
    return Content(list(paragraphs(marked)), title)


def _check(document: PdfReader) -> None:
    if document.is_encrypted:
        try:
            opened = bool(document.decrypt(""))  # enough when only printing or copying is forbidden
        except DependencyError:
            opened = False
        if not opened:
            raise InvalidRecord("PDF 已加密 · the PDF is encrypted", place=0)
    if len(document.pages) > MAX_PAGES:
        detail = f"有 {len(document.pages):,} 页,最多 {MAX_PAGES:,} · more than {MAX_PAGES:,} pages"
        raise InvalidRecord(detail, place=0)


def _bookmarks(document: PdfReader, outline: Sequence[Any], level: int) -> Iterator[Bookmark]:
    for item in outline:
        if isinstance(item, list):
            yield from _bookmarks(document, item, level + 1)
        elif (page := document.get_destination_page_number(item)) is not None and page >= 0:
            yield level, " ".join(str(item.title).split()), page + 1


def _marked(lines: Sequence[Line], bookmarks: Sequence[Bookmark]) -> Iterator[Block | Line]:
    """A bookmark's heading takes the place of the line that it names, or stands before the first line of its page."""
    named: defaultdict[tuple[int, str], deque[int]] = defaultdict(deque)
    for index, line in enumerate(lines):
        named[line.page, _letters(line.text)].append(index)
    pages = [line.page for line in lines]
    headings: defaultdict[int, list[Heading]] = defaultdict(list)
    replaced = set()
    for level, title, page in bookmarks:
        found = named[page, _letters(title)]
        index = found.popleft() if found else bisect_left(pages, page)
        headings[index].append(Heading(level, title, page))
        if index < len(lines) and _letters(lines[index].text) == _letters(title):
            replaced.add(index)
    for index, line in enumerate(lines):
        yield from headings[index]
        if index not in replaced:
            yield line


def _by_size(lines: Sequence[Line]) -> Iterator[Block | Line]:
    """Lines that are set larger are headings, the largest size of the first level."""
    body = body_size(lines)
    larger = {line.size for line in lines if _is_large(line, body)}
    levels = {size: level for level, size in enumerate(sorted(larger, reverse=True)[:HEADING_SIZES], start=1)}
    for line in lines:
        is_heading = line.size in levels and _is_large(line, body)
        yield Heading(levels[line.size], line.text, line.page) if is_heading else line


def _is_large(line: Line, body: float) -> bool:
    return line.size >= LARGER * body and len(line.text) <= MAX_HEADING and any(map(str.isalpha, line.text))


def _letters(heading: str) -> str:
    """What two writings of a heading share: no spaces or signs, and no number in front."""
    return "".join(filter(str.isalnum, heading.lower())).lstrip("0123456789")
