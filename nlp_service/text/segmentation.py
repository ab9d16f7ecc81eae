"""Words of a text, and its terms for lexical search: jieba's search-mode words, lower-case, without stop words."""

import logging
import re
import threading
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

import jieba

_TERM = re.compile(r"\w", re.UNICODE)
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
# Codes such as 0x80070005, E1001, ORA-01555 or HTTP 502: one term each, beside the words that they contain.
_CODE = re.compile(r"(?<![a-z0-9])(?:0x[0-9a-f]+|-?\d{3,}|[a-z]{1,10}[-_]?\d+(?:[-_.]\d+)*)(?![a-z0-9])")
_lock = threading.Lock()


def fold(text: str) -> str:
    """`text` in lower case and half-width forms, character by character, so that offsets stay."""
    plain = text.translate(_FULL_WIDTH)
    lowered = plain.lower()
    if len(lowered) == len(plain):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in plain)


def words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words and signs of `text`, folded, each with where it starts and ends; together they are the whole text."""
    return _segmenter().tokenize(fold(text))  # type: ignore[no-any-return]


def terms(text: str) -> list[str]:
    """The terms of `text`, with repetitions, in order of occurrence."""
    plain = fold(text)
    words = [word.strip() for word in _segmenter().cut_for_search(plain)]
    stop = _stop_words()
    found = [word for word in words if _TERM.search(word) and word not in stop]
    known = set(found)
    return found + [code for code in _CODE.findall(plain) if code not in known]


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
