"""Words of a text, and its terms for lexical search: jieba's search-mode words, lower-case, without stop words.

Traditional characters count as simplified ones (OpenCC), and words that Taiwan has for a thing (檔案, 登入) as those of
the mainland as well. Codes stay whole, and those written differently (ORA-00060, ora 60) share a term.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files

import opencc

from nlp_service.text.segmenter import segmenter

_TERM = re.compile(r"\w", re.UNICODE)
_FULL_WIDTH = re.compile("[\uff01-\uff5e\u3000]")
_HALF_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {"\u3000": " "}
# Codes such as 0x80070005, E1001, ORA-01555 or HTTP 502: one term each, beside the words that they contain.
_CODE = re.compile(r"(?<![a-z0-9])(?:0x[0-9a-f]+|-?\d{3,}|[a-z]{1,10}[-_]?\d+(?:[-_.]\d+)*)(?![a-z0-9])")
# The same codes however they are joined and filled with zeros; the groups are what counts of them.
_SPELLED_CODE = re.compile(r"(?<![a-z0-9])([a-z]{1,10})[-_ .:]?(\d++)(?![a-z0-9])")
_PARTED = 1 << 16
"""Words that are remembered with their parts."""


def fold(text: str) -> str:
    """`text` in lower case, half-width and simplified characters, character by character, so that offsets stay."""
    plain = _half_width(text)
    lowered = plain.lower()
    if len(lowered) != len(plain):
        lowered = "".join(low if len(low := character.lower()) == 1 else character for character in plain)
    simplified: str = _to_simplified().convert(lowered)
    return simplified if len(simplified) == len(lowered) else lowered


def words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words and signs of `text`, folded, each with where it starts and ends; together they are the whole text."""
    start = 0
    for word in segmenter().cut(fold(text)):
        yield word, start, start + len(word)
        start += len(word)


def terms(text: str) -> list[str]:
    """The terms of `text`, with repetitions, in order of occurrence; those of the whole codes at the end."""
    plain = fold(text)
    found = _words_of(plain)
    mainland = _to_mainland().convert(_half_width(text).lower())
    if mainland != plain:
        known = set(found)
        found += [word for word in _words_of(mainland) if word not in known]
    known = set(found)
    codes = [code for code in _CODE.findall(plain) if code not in known]
    known.update(codes)
    spelled = (code for code, _, _ in spelled_codes(plain))
    return [*found, *codes, *(code for code in spelled if code not in known)]


def spelled_codes(plain: str) -> Iterator[tuple[str, int, int]]:
    """The codes of a folded text in their common spelling (ORA-00060 is ora60), each with where it starts and ends."""
    for match in _SPELLED_CODE.finditer(plain):
        yield match[1] + (match[2].lstrip("0") or "0"), match.start(), match.end()


def _half_width(text: str) -> str:
    return _FULL_WIDTH.sub(lambda found: _HALF_WIDTH[found[0]], text)


def _words_of(plain: str) -> list[str]:
    stop = _stop_words()
    return [
        part for word in segmenter().cut(plain) for part in _with_parts(word) if part not in stop and _TERM.search(part)
    ]


@lru_cache(_PARTED)
def _with_parts(word: str) -> tuple[str, ...]:
    """A word behind the words of two and three characters of the dictionary that it contains."""
    parts = (
        word[start : start + size]
        for size in (2, 3)
        if len(word) > size
        for start in range(len(word) - size + 1)
        if segmenter().has_word(word[start : start + size])
    )
    return (*parts, word)


@cache
def _to_simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@cache
def _to_mainland() -> opencc.OpenCC:
    return opencc.OpenCC("tw2sp")


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(files(__package__).joinpath("stop_words.txt").read_text("utf-8").split())
