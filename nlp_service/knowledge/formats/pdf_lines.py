"""Lines of PDF pages, and the paragraphs that they were."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pypdf import PageObject

from nlp_service.knowledge.formats.blocks import Block, Paragraph

LARGER = 1.15
"""A line this many times as large as most of the text may be a heading."""
RUNNING_PAGES = 3
"""A first or last line that stands on so many pages, but for its numbers, is a header or a footer, unless it is large.
"""
FULL_LINE = 0.7
"""A line this wide, compared with the widest ones, was broken only because the page ended there."""
_PAGE_NUMBER = re.compile(
    r"[-–—\s]*(?:第\s*)?[0-9]+\s*页?(?:\s*(?:/|of|共)\s*[0-9]+\s*页?)?[-–—\s]*|page\s+[0-9]+(?:\s+of\s+[0-9]+)?"
)
_DIGITS = re.compile(r"[0-9]+")
_ITEM = re.compile(r"(?:[-•·●▪*◆]|[0-9]+[.、)）]|[(（][0-9]+[)）]|[一二三四五六七八九十]+、)")
_ENDS = ("。", "!", "?", ":", ";", "!", "?", ".", ":", ";")


@dataclass(frozen=True)
class Line:
    """A line of a page; `size` of its type in points."""

    text: str
    size: float
    page: int


def page_lines(page: PageObject, number: int) -> list[Line]:
    """The lines of a page, top to bottom as its text is stored; a line's size is that of most of its characters."""
    pieces: list[tuple[str, float]] = []

    def visit(text: str, matrix: list[float], text_matrix: list[float], _font: object, size: float) -> None:
        scale = abs(text_matrix[3] * matrix[3]) or 1.0
        pieces.append((text, round(float(size) * scale, 1)))

    page.extract_text(visitor_text=visit)
    lines: list[list[tuple[str, float]]] = [[]]
    for text, size in pieces:
        for index, part in enumerate(text.split("\n")):
            if index:
                lines.append([])
            lines[-1].append((part, size))
    return [line for parts in lines if (line := _line(parts, number)).text]


def _line(parts: Sequence[tuple[str, float]], page: int) -> Line:
    sizes: Counter[float] = Counter()
    for text, size in parts:
        sizes[size] += len(text.strip())
    size = sizes.most_common(1)[0][0] if sizes else 0.0
    return Line(" ".join("".join(text for text, _ in parts).split()), size, page)


def without_running_lines(lines: Sequence[Line]) -> list[Line]:
    """The lines without page numbers and without what stands at the head or foot of most pages."""
    edges = _edges(lines)
    large = LARGER * body_size(lines)
    counts = Counter(_DIGITS.sub("", lines[index].text) for index in edges if lines[index].size < large)
    running = {text for text, count in counts.items() if count >= RUNNING_PAGES}
    return [
        line
        for index, line in enumerate(lines)
        if index not in edges
        or not (_DIGITS.sub("", line.text) in running or _PAGE_NUMBER.fullmatch(line.text.lower()))
    ]


def body_size(lines: Iterable[Line]) -> float:
    """The size that most characters have."""
    letters: Counter[float] = Counter()
    for line in lines:
        letters[line.size] += len(line.text)
    return letters.most_common(1)[0][0] if letters else 0.0


def paragraphs(lines: Iterable[Line | Block]) -> Iterator[Block]:
    """Headings as they are, and lines joined to the paragraphs that the page width broke."""
    everything = list(lines)
    widths = sorted(_width(line.text) for line in everything if isinstance(line, Line))
    full = FULL_LINE * widths[int(0.9 * (len(widths) - 1))] if widths else 0.0
    text, page, last = "", 0, ""
    for line in everything:
        if text and not (isinstance(line, Line) and _continues(last, line.text, full)):
            yield Paragraph(text, page)
            text = ""
        if isinstance(line, Line):
            page = page if text else line.page
            text = _join(text, line.text) if text else line.text
            last = line.text
        else:
            yield line
    if text:
        yield Paragraph(text, page)


def _edges(lines: Sequence[Line]) -> set[int]:
    """Indexes of the first and the last line of every page."""
    return {
        index
        for index, line in enumerate(lines)
        if index in {0, len(lines) - 1} or lines[index - 1].page != line.page or lines[index + 1].page != line.page
    }


def _continues(line: str, following: str, full: float) -> bool:
    return _width(line) >= full and not line.endswith(_ENDS) and _ITEM.match(following) is None


def _join(text: str, following: str) -> str:
    return f"{text}{'' if _is_wide(text[-1]) or _is_wide(following[0]) else ' '}{following}"


def _width(text: str) -> int:
    return sum(1 + _is_wide(character) for character in text)


def _is_wide(character: str) -> bool:
    """Whether it is a Chinese character or sign, which is as wide as two Latin ones."""
    return character > "\u2e7f"
