"""DOCX: Word's headings, paragraphs, lists and tables; pictures only by their description."""

from collections.abc import Iterator

import mammoth

from nlp_service.knowledge.formats.archive import check_archive
from nlp_service.knowledge.formats.blocks import Content
from nlp_service.knowledge.formats.chunks import articles
from nlp_service.knowledge.formats.damage import as_damage
from nlp_service.knowledge.formats.html_page import html_content
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Entry

MAX_XML_BYTES = 20_000_000
"""The whole XML becomes a tree in memory, some twenty times as large."""
STYLES = "\n".join(
    ["p[style-name='Title'] => h1:fresh"] + [f"p[style-name='标题 {level}'] => h{level}:fresh" for level in range(1, 7)]
)


def read(source: Source) -> Iterator[Entry]:
    """An article for each section. Raises InvalidRecord when the file is damaged, encrypted or too large expanded."""
    check_archive(source.stream, max_xml_bytes=MAX_XML_BYTES)
    return articles(source, _content(source))


def _content(source: Source) -> Content:
    with as_damage():
        converted = mammoth.convert_to_html(
            source.stream,
            style_map=STYLES,
            convert_image=mammoth.images.img_element(lambda _: {}),
            external_file_access=False,
        )
    return html_content(converted.value)
