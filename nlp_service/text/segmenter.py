"""jieba's segmentation of text into words: its dictionary, and its hidden Markov model for words that are not in there.

rjieba runs the same algorithm with the same dictionary as compiled code, six times as fast; where it is not installed
(the extra `fast`), jieba itself does. rjieba joins Latin words otherwise; they are parted again, so both give the same
words.
"""

import logging
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Protocol

# What jieba keeps together, where no word of its dictionary holds both: Chinese characters, and Latin words or numbers.
_CHINESE = re.compile("([\u4e00-\u9fd5]+)")
_LATIN = re.compile(r"([a-zA-Z0-9]+(?:\.\d+)?%?)")
_PARTED = 1 << 16
"""Words that are remembered with their parts."""


class Segmenter(Protocol):
    """May be used by several threads."""

    def cut(self, text: str) -> Iterator[str]:
        """The words and signs of a text; together they are the whole text."""
        ...

    def has_word(self, word: str) -> bool:
        """Whether the dictionary has a word."""
        ...


class CompiledSegmenter:
    """rjieba; the module itself has read the dictionary when it is imported, and another object would read it again."""

    def __init__(self) -> None:
        import rjieba

        self._jieba = rjieba
        self._apart = lru_cache(_PARTED)(self._parts)

    def cut(self, text: str) -> Iterator[str]:
        """See `Segmenter.cut`."""
        for word in self._jieba.cut(text):
            if _CHINESE.fullmatch(word):
                yield word
            else:
                yield from self._apart(word)

    def has_word(self, word: str) -> bool:
        """See `Segmenter.has_word`."""
        return bool(self._jieba.has_word(word))

    def _parts(self, word: str) -> tuple[str, ...]:
        """The words that jieba makes of a word with other than Chinese characters."""
        if self._jieba.has_word(word):
            return (word,)
        parts: list[str] = []
        for place, part in enumerate(_CHINESE.split(word)):
            parts.extend([part] if place % 2 else _LATIN.split(part))
        return tuple(filter(None, parts))


class PlainSegmenter:
    """jieba, without its cache: that is a marshalled file in the shared temporary folder, trusted blindly."""

    def __init__(self) -> None:
        import jieba

        jieba.setLogLevel(logging.WARNING)
        self._jieba = jieba.Tokenizer()
        self._jieba.FREQ, self._jieba.total = self._jieba.gen_pfdict(self._jieba.get_dict_file())
        self._jieba.initialized = True

    def cut(self, text: str) -> Iterator[str]:
        """See `Segmenter.cut`."""
        words: Iterator[str] = self._jieba.cut(text)
        return words

    def has_word(self, word: str) -> bool:
        """See `Segmenter.has_word`."""
        return bool(self._jieba.FREQ.get(word))


@cache
def segmenter() -> Segmenter:
    """The fastest that is installed."""
    try:
        return CompiledSegmenter()
    except ImportError:
        return PlainSegmenter()
