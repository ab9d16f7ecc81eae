"""Sections of a document to articles, each with a key that stays the same from import to import."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.article import NAME_LIMIT, SOLUTION_LIMIT, TITLE_LIMIT
from nlp_service.knowledge.formats.blocks import Content
from nlp_service.knowledge.formats.sections import Section, sections
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad, Entry, check
from nlp_service.text.personal_data import identifies_a_person, mask

MIN_CHARACTERS = 10
"""Letters and digits that a text without a heading for its solution needs to be worth an article."""
_SENTENCE_END = re.compile(r"(?<=[。!?!?;;])|(?<=\. )|(?<=\n)")


def articles(source: Source, content: Content, fields: Mapping[str, Any] | None = None) -> Iterator[Entry]:
    """An article for each section of a document.

    Its key is the name of the source and the headings above the section; `fields` holds what the document says of
    itself: tags, product and status are of all articles, the title stands before their headings, and `external_id`
    takes the place of the source's name and is the first article's as it stands. Raises InvalidRecord when there is no
    text.
    """
    given = dict(fields or {})
    keys = _Keys(source.name, given.pop("external_id", None))
    above = given.pop("title", "")
    if not isinstance(above, str):
        raise InvalidRecord("title: 必须是文字 · must be a text", place=0)
    empty = True
    for section in sections(content.blocks):
        empty = False
        names = [above, *section.path] if above and above not in section.path[:1] else list(section.path)
        yield from _entries(section, names or [content.title or source.stem], given, keys)
    if empty:
        raise InvalidRecord("没有正文 · there is no text", place=0)


class _Keys:
    """Keys of the articles of one document; a second article under the same headings gets a number."""

    def __init__(self, name: str, given: object) -> None:
        self._base = str(given) if given is not None else name
        self._first_is_base = given is not None
        self._seen: Counter[str] = Counter()

    def next(self, path: tuple[str, ...]) -> str:
        """The key of the next article, whose headings are `path`."""
        if self._first_is_base:
            self._first_is_base = False
            return self._base
        key = f"{self._base}#{'/'.join(path)}" if path else self._base
        self._seen[key] += 1
        number = self._seen[key]
        return _storable(key if number == 1 else f"{key}#{number}")


def _storable(key: str) -> str:
    """`key`, or a hash of it when it is too long for an external id or holds what must not stand in one."""
    printable = unicodedata.normalize("NFC", key.encode("utf-8", "replace").decode("utf-8")).replace("\x00", "")
    if len(printable) <= NAME_LIMIT and not identifies_a_person(printable):
        return printable
    return f"document-{hashlib.sha256(printable.encode()).hexdigest()[:32]}"


def _entries(section: Section, names: list[str], fields: Mapping[str, Any], keys: _Keys) -> Iterator[Entry]:
    """The article of a section whose headings are `names`, or its parts when it is long."""
    name = " / ".join(names)
    place = _place(name, section.page)
    if not section.solution and not _has_substance(text := _joined(section.before + section.after)):
        if text:
            reason = f"正文少于 {MIN_CHARACTERS} 字 · the text has fewer than {MIN_CHARACTERS} letters or digits"
        else:
            reason = "没有解决办法 · there is no solution"
        yield Bad(place, reason)
        return
    problem, solution = _problem_and_solution(section)
    for number, part in enumerate(_split(solution), start=1):
        record = {
            "title": _title(name, names[-1], number),
            "problem": problem or names[-1],
            "scenario": _joined(section.scenario),
            "solution": part,
            "external_id": keys.next(section.path),
            **fields,
        }
        yield check(place if number == 1 else f"{place} ({number})", record)


def _problem_and_solution(section: Section) -> tuple[str, str]:
    """Where a heading names the solution, what stands before it tells of the problem; otherwise it is the solution."""
    if section.solution:
        return _joined(section.before + section.problem), _joined(section.solution + section.after)
    return _joined(section.problem), _joined(section.before + section.after)


def _joined(texts: list[str]) -> str:
    return "\n".join(texts)


def _has_substance(text: str) -> bool:
    return sum(unicodedata.category(character)[0] in "LN" for character in text) >= MIN_CHARACTERS


def _place(name: str, page: int | None) -> str:
    chinese, english = (f"第 {page} 页 ", f"page {page}, ") if page is not None else ("", "")
    shown = mask(name.encode("utf-8", "replace").decode("utf-8"))[:TITLE_LIMIT]
    return f"{chinese}“{shown}”一节 · {english}section “{shown}”"


def _title(name: str, heading: str, number: int) -> str:
    """The headings of the section, of a long path the last alone; further parts of a long section carry a number."""
    suffix = f" ({number})" if number > 1 else ""
    return (name if len(name) + len(suffix) <= TITLE_LIMIT else heading) + suffix


def _split(text: str) -> Iterator[str]:
    """`text` in parts that a solution can hold, divided at lines, and lines that are too long at sentences."""
    part = ""
    for piece in _pieces(text):
        if part.strip() and len(part) + len(piece) > SOLUTION_LIMIT:
            yield part.strip("\n")
            part = ""
        part += piece
    if part.strip():
        yield part.strip("\n")


def _pieces(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        if len(line) <= SOLUTION_LIMIT:
            yield line
            continue
        for sentence in _SENTENCE_END.split(line):
            for start in range(0, len(sentence), SOLUTION_LIMIT):
                yield sentence[start : start + SOLUTION_LIMIT]
