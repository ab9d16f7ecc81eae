"""HTML to headings and paragraphs. Scripts and forms are dropped; nothing is run and nothing is fetched."""

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from nlp_service.knowledge.formats.blocks import Block, Content, Heading, Paragraph
from nlp_service.knowledge.formats.chunks import articles
from nlp_service.knowledge.formats.encoding import decode
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Entry

DROPPED = frozenset({
    "applet", "audio", "button", "canvas", "embed", "footer", "iframe", "nav", "noscript", "object", "script", "select",
    "style", "svg", "template", "textarea", "video",
})  # fmt: skip
BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "form", "header", "hgroup", "hr", "li", "main", "ol", "p", "pre",
    "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
})  # fmt: skip
HEADINGS = {f"h{level}": level for level in range(1, 7)}
MAX_INDENT = 8
"""Steps that items of nested lists are indented by; deeper ones stay there."""
_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_-]{2,20})""", re.IGNORECASE)
_DECLARED_WITHIN = 2048
_CHINESE = "[\u3000-\u9fff\uff00-\uffef]"
_CHINESE_BREAK = re.compile(rf"(?<={_CHINESE})[ \t\r\f]*\n[ \t\r\n\f]*(?={_CHINESE})")
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")


def read(source: Source) -> Iterator[Entry]:
    """An article for each section. Raises InvalidRecord when the bytes are not in the page's encoding."""
    content = source.stream.read()
    return articles(source, html_content(decode(content, _declared(content))))


def html_content(html: str) -> Content:
    """Headings and paragraphs of a page or a fragment. Text in the order of the source; links keep their address."""
    collector = _Collector()
    # libxml2 as a stream of events: linear in time on any input, and no tree.
    parser = etree.HTMLParser(target=collector, encoding="utf-8", no_network=True, huge_tree=True)
    parser.feed(html.encode("utf-8", "replace"))
    if html.strip():
        parser.close()
    return Content(collector.blocks, collector.title)


class _Collector:
    """Receives the parser's events, in which start and end of elements are balanced.

    What an element needs beyond its being a block stands in `_start_<tag>` and `_end_<tag>`.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.title = ""
        self._pieces: list[str] = []
        self._dropping = 0
        self._level: int | None = None
        self._code = 0
        self._rows = 0
        self._in_title = False
        self._lists: list[int | None] = []
        """Of each list around here, the next number, or None for bullets."""
        self._mark = ""
        self._links: list[tuple[str, int, int]] = []
        """Of each link around here, its address, the number of blocks before it, and where in the pieces it begins."""
        self._row_begun = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        if self._dropping or tag in DROPPED or "hidden" in attributes:
            self._dropping += 1
            return
        self._separate(tag)
        self._level = HEADINGS.get(tag, self._level)
        if (handle := getattr(self, f"_start_{tag}", None)) is not None:
            handle(attributes)

    def end(self, tag: str) -> None:
        """An element ends."""
        if self._dropping:
            self._dropping -= 1
            return
        if tag == "tr":
            self._rows -= 1
        self._separate(tag)
        if tag in HEADINGS:
            self._level = None
        if (handle := getattr(self, f"_end_{tag}", None)) is not None:
            handle()

    def data(self, text: str) -> None:
        """Text inside of an element."""
        if self._dropping:
            return
        if self._in_title:
            self.title = _SPACE.sub(" ", self.title + text).strip()
        elif self._code:
            self._pieces.append(text)
        else:
            self._pieces.append(_SPACE.sub(" ", _CHINESE_BREAK.sub("", text)))

    def comment(self, text: str) -> None:
        """Comments say nothing to readers."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nor do processing instructions."""

    def close(self) -> None:
        """The page ends."""
        self._flush()

    def _separate(self, tag: str) -> None:
        """A block begins or ends; within a row of a table, other blocks are parts of a cell."""
        if tag in HEADINGS or (tag in BLOCKS and not self._rows):
            self._flush()
        elif tag in BLOCKS:
            self._pieces.append(" ")

    def _flush(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        text = text.strip("\n").rstrip() if self._code else _tidy(text)
        if not text.strip():
            return
        if self._level is not None:
            self.blocks.append(Heading(self._level, _SPACE.sub(" ", text)))
        else:
            self.blocks.append(Paragraph(self._mark + text))
        self._mark = ""

    def _start_a(self, attributes: Mapping[str, str]) -> None:
        self._links.append((attributes.get("href", "").strip(), len(self.blocks), len(self._pieces)))

    def _end_a(self) -> None:
        address, blocks, start = self._links.pop()
        if blocks != len(self.blocks) or not address.lower().startswith(("http://", "https://")):
            return
        text = "".join(self._pieces[start:])
        if text.strip() and address not in text:
            self._pieces.append(f" ({address})")

    def _start_br(self, _: Mapping[str, str]) -> None:
        self._pieces.append("\n")

    def _start_img(self, attributes: Mapping[str, str]) -> None:
        if alternative := _SPACE.sub(" ", attributes.get("alt", "")).strip():
            self._pieces.append(f"[{alternative}]")

    def _start_ol(self, attributes: Mapping[str, str]) -> None:
        start = attributes.get("start", "")
        self._lists.append(int(start) if re.fullmatch("[0-9]{1,5}", start) else 1)

    def _start_ul(self, _: Mapping[str, str]) -> None:
        self._lists.append(None)

    def _end_ol(self) -> None:
        self._lists.pop()

    _end_ul = _end_ol

    def _start_li(self, _: Mapping[str, str]) -> None:
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._mark = "  " * min(len(self._lists) - 1, MAX_INDENT) + ("- " if number is None else f"{number}. ")

    def _end_li(self) -> None:
        self._mark = ""

    def _start_pre(self, _: Mapping[str, str]) -> None:
        self._code += 1

    def _end_pre(self) -> None:
        self._code -= 1

    def _start_td(self, _: Mapping[str, str]) -> None:
        if self._row_begun:
            self._pieces.append(" | ")
        self._row_begun = True

    _start_th = _start_td

    def _start_title(self, _: Mapping[str, str]) -> None:
        self._in_title = True

    def _end_title(self) -> None:
        self._in_title = False

    def _start_tr(self, _: Mapping[str, str]) -> None:
        self._rows += 1
        self._row_begun = False


def _tidy(text: str) -> str:
    return re.sub(r" *\n *", "\n", re.sub(" +", " ", text)).strip()


def _declared(content: bytes) -> str | None:
    """The encoding that the page names; the GB encodings are read as their superset."""
    match = _DECLARED.search(content[:_DECLARED_WITHIN])
    if match is None or content.startswith(b"\xef\xbb\xbf"):
        return None
    name = match[1].decode().lower()
    if name in {"gb2312", "gbk", "gb18030"}:
        return "gb18030"
    return name if name in {"utf-8", "big5", "shift_jis", "iso-8859-1", "windows-1252"} else None
