"""A headline for a text that has none: its first sentence."""

import re
import unicodedata

from nlp_service.text.segmentation import words

MAX_CHARACTERS = 60
_SENTENCE_END = re.compile(r"(?<=[。！？!?；;])|(?<=\.)\s|\n")
_CLOSING = " \t。.；;，,"


def headline(text: str) -> str:
    """The first sentence of a text that has a word, of a long one its first words with an ellipsis: 60 characters."""
    sentence = next((part for part in _SENTENCE_END.split(text) if part and _has_word(part)), text)
    sentence = sentence.strip().rstrip(_CLOSING) or text.strip()
    if len(sentence) <= MAX_CHARACTERS:
        return sentence
    room = MAX_CHARACTERS - 1
    end = max((end for _, _, end in words(sentence) if end <= room), default=0)
    cut = sentence[:end].rstrip()
    return (cut if _has_word(cut) else sentence[:room]) + "…"


def _has_word(text: str) -> bool:
    return any(unicodedata.category(character)[0] in "LN" for character in text)
