"""Markdown (CommonMark with tables), with or without front matter; articles that were exported read as they were."""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from nlp_service.knowledge.formats.article_page import BEGINNING, FORMAT, KEY, read_page
from nlp_service.knowledge.formats.chunks import articles
from nlp_service.knowledge.formats.encoding import decode
from nlp_service.knowledge.formats.front_matter import fields_of, split_front_matter
from nlp_service.knowledge.formats.html_page import html_content
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Entry

MAX_INLINE = 5000
"""Characters of a paragraph whose marks are read; longer ones, whose parsing takes quadratic time, stay as written."""


def read(source: Source) -> Iterator[Entry]:
    """An article for each section; `external_id` of the front matter is the first article's.

    Raises InvalidRecord when the bytes are no text or the front matter is no YAML.
    """
    content = source.stream.read()
    given, text = split_front_matter(decode(content, "utf-8" if content.startswith(BEGINNING.encode()) else None))
    if given.get(KEY) == FORMAT:
        return iter((read_page(given, text),))
    return articles(source, html_content(_html(text)), fields_of(given))


def _html(text: str) -> str:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table").disable("inline")
    environment: dict[str, object] = {}
    tokens = parser.parse(text, environment)
    for token in tokens:
        if token.type == "inline":
            token.children = []
            if len(token.content) <= MAX_INLINE:
                parser.inline.parse(token.content, parser, environment, token.children)
            else:
                token.children = [Token("text", "", 0, content=token.content)]
    return str(parser.renderer.render(tokens, parser.options, environment))
