"""Headings and paragraphs to sections: what belongs under one heading, told apart by problem, scenario and solution."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from nlp_service.knowledge.formats.blocks import Block, Heading

SECTION_LEVEL = 2
"""Headings up to this level begin a section; of deeper ones only those that hold a problem or a solution."""
_FIELDS = {
    "problem": (
        r"(?:问题|故障|异常|错误)(?:描述|说明|概述|详情)?|(?:问题|故障|异常|错误)?(?:现象|症状|表现)(?:描述|说明)?"
        r"|problems?(?: (?:description|statement))?|symptoms?|issue"
    ),
    "scenario": (
        r"(?:适用|使用|发生|出现|业务|应用|运行|系统|软件)?(?:场景|环境)(?:描述|说明)?|适用范围"
        r"|scenarios?|environment|applies to|context"
    ),
    "solution": (
        r"(?:问题|故障|异常)?(?:解决|处理|处置|修复)(?:方法|方案|办法|步骤|措施|过程|流程|建议)?"
        r"|(?:问题|故障|可能|根本|产生)?的?原因(?:分析|说明)?"
        r"|solutions?|resolution|workaround|fix|(?:possible |root )?causes?"
    ),
}
_CAUSE = re.compile(r"原因|cause", re.IGNORECASE)
_PATTERNS = {name: re.compile(pattern) for name, pattern in _FIELDS.items()}
_AROUND = re.compile(
    r"^(?:[0-9]+(?:\.[0-9]+)*|[一二三四五六七八九十]+|[(（][0-9一二三四五六七八九十]+[)）])?[.、.:)）\s]*|[\s:：。.]+$"
)


@dataclass
class Section:
    """The text under one heading. `path` is that heading with those above it, empty for text before the first."""

    path: tuple[str, ...]
    page: int | None = None
    problem: list[str] = field(default_factory=list)
    scenario: list[str] = field(default_factory=list)
    solution: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    """Paragraphs before the first heading that names a field."""
    after: list[str] = field(default_factory=list)
    """Paragraphs that come later and are under none of them."""

    @property
    def has_text(self) -> bool:
        """Whether there is any text."""
        return bool(self.problem or self.scenario or self.solution or self.before or self.after)


def field_of(heading: str) -> str | None:
    """The field that a heading names, ``problem``, ``scenario`` or ``solution``, whatever number it carries."""
    name = _AROUND.sub("", heading.strip()).lower()
    return next((field for field, pattern in _PATTERNS.items() if pattern.fullmatch(name)), None)


def sections(blocks: Sequence[Block]) -> Iterator[Section]:
    """Sections with text, in order.

    A heading that names a field belongs to the section around it; a second problem after a solution begins a new
    section under the same headings.
    """
    collecting = _Collecting()
    for block, following in zip(blocks, (*blocks[1:], None), strict=False):
        if not isinstance(block, Heading):
            collecting.add(block.text, block.page)
            continue
        name = field_of(block.text)
        if name is not None:
            yield from collecting.begin_field(name, block)
        elif block.level <= SECTION_LEVEL or _holds_field(block, following):
            yield from collecting.begin_section(block)
        else:
            collecting.begin_part(block)
    yield from _with_text(collecting.section)


def _holds_field(heading: Heading, following: Block | None) -> bool:
    return isinstance(following, Heading) and following.level > heading.level and field_of(following.text) is not None


def _with_text(section: Section) -> Iterable[Section]:
    return (section,) if section.has_text else ()


class _Collecting:
    """The section that is being read, the headings above it, and the field that its text goes to."""

    def __init__(self) -> None:
        self.section = Section(())
        self._above: list[Heading] = []
        self._field: Heading | None = None
        self._texts = self.section.before
        self._label = ""
        """A heading that stands before its text: of a cause, or of a second solution."""

    def begin_section(self, heading: Heading) -> Iterable[Section]:
        """A heading of a section of its own; gives the section that ends here."""
        ended = self.section
        self._above = [other for other in self._above if other.level < heading.level] + [heading]
        self._begin(heading.page)
        return _with_text(ended)

    def begin_field(self, name: str, heading: Heading) -> Iterable[Section]:
        """A heading that names a field; gives the section that ends here, if one does."""
        ended = self.section
        begins_again = name == "problem" and bool(ended.solution)
        if begins_again:
            self._begin(heading.page)
        self._field, self._texts = heading, getattr(self.section, name)
        is_labelled = name == "solution" and bool(self._texts or _CAUSE.search(heading.text))
        self._label = heading.text if is_labelled else ""
        return _with_text(ended) if begins_again else ()

    def begin_part(self, heading: Heading) -> None:
        """A deeper heading, which is a line of the text; one that is no deeper than the field's ends the field."""
        if self._field is not None and heading.level <= self._field.level:
            self._field, self._texts, self._label = None, self.section.after, ""
        self.add(heading.text, heading.page)

    def add(self, text: str, page: int | None) -> None:
        """A line of text."""
        if not self.section.has_text and self.section.page is None:
            self.section.page = page
        self._texts.extend((self._label, text) if self._label else (text,))
        self._label = ""

    def _begin(self, page: int | None) -> None:
        self.section = Section(tuple(heading.text for heading in self._above), page)
        self._field, self._texts, self._label = None, self.section.before, ""
