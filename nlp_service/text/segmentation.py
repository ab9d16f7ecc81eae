"""Words of a text, and its terms for lexical search: jieba's search-mode words, lower-case, without stop words.

Traditional characters count as simplified ones (OpenCC), and words that Taiwan has for a thing (檔案, 登入) as those of
the mainland as well. Codes stay whole, and those written differently (ORA-00060, ora 60) share a term.
"""

import logging
import re
import threading
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import jieba
import opencc

_TERM = re.compile(r"\w", re.UNICODE)
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
# Codes such as 0x80070005, E1001, ORA-01555 or HTTP 502: one term each, beside the words that they contain.
_CODE = re.compile(r"(?<![a-z0-9])(?:0x[0-9a-f]+|-?\d{3,}|[a-z]{1,10}[-_]?\d+(?:[-_.]\d+)*)(?![a-z0-9])")
# The same codes however they are joined and filled with zeros; the groups are what counts of them.
_SPELLED_CODE = re.compile(r"(?<![a-z0-9])([a-z]{1,10})[-_ .:]?0*(\d+)(?![a-z0-9])")
_lock = threading.Lock()


def fold(text: str) -> str:
    """`text` in lower case, half-width and simplified characters, character by character, so that offsets stay."""
    plain = text.translate(_FULL_WIDTH)
    lowered = plain.lower()
    if len(lowered) != len(plain):
        lowered = "".join(low if len(low := character.lower()) == 1 else character for character in plain)
    simplified: str = _to_simplified().convert(lowered)
    return simplified if len(simplified) == len(lowered) else lowered


def words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words and signs of `text`, folded, each with where it starts and ends; together they are the whole text."""
    return _segmenter().tokenize(fold(text))  # type: ignore[no-any-return]


def terms(text: str) -> list[str]:
    """The terms of `text`, with repetitions, in order of occurrence; those of the whole codes at the end."""
    plain = fold(text)
    found = _words_of(plain)
    mainland = _to_mainland().convert(text.translate(_FULL_WIDTH).lower())
    if mainland != plain:
        known = set(found)
        found += [word for word in _words_of(mainland) if word not in known]
    known = set(found)
    codes = [code for code in _CODE.findall(plain) if code not in known]
    spelled = (letters + digits for letters, digits in _SPELLED_CODE.findall(plain))
    return [*found, *codes, *(code for code in spelled if code not in known and code not in codes)]


def _words_of(plain: str) -> list[str]:
    stop = _stop_words()
    words = (word.strip() for word in _segmenter().cut_for_search(plain))
    return [word for word in words if _TERM.search(word) and word not in stop]


@cache
def _to_simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


@cache
def _to_mainland() -> opencc.OpenCC:
    return opencc.OpenCC("tw2sp")


@cache
def _segmenter() -> jieba.Tokenizer:
    # jieba's own cache is a marshalled file in the world-writable temporary folder: loading it would run on trust in
    # whoever put it there. Reading the dictionary afresh takes under two seconds, once a process.
    with _lock:
        jieba.setLogLevel(logging.WARNING)
        segmenter = jieba.Tokenizer()
        segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
        segmenter.initialized = True
        return segmenter


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(files(__package__).joinpath("stop_words.txt").read_text("utf-8").split())
