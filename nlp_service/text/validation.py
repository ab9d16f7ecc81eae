"""What counts as a text that can be analysed."""

import unicodedata

from nlp_service.errors import InvalidText

MAX_CHARACTERS = 2000


def check_text(text: str, *, field: str = "text", limit: int = MAX_CHARACTERS) -> str:
    """Return `text` unchanged when it can be analysed: 1 to `limit` characters with at least one letter or digit.

    Raises InvalidText naming `field` and the rule that is broken.
    """
    check_characters(text, field=field)
    if not text.strip():
        raise InvalidText("不能为空 · must not be blank", field=field)
    if len(text) > limit:
        raise InvalidText(
            f"最多 {limit:,} 字,实际 {len(text):,} · at most {limit:,} characters, got {len(text):,}", field=field
        )
    if not any(unicodedata.category(character)[0] in "LN" for character in text):
        raise InvalidText("没有文字,只有表情或符号 · contains no letter or digit, only emoji or symbols", field=field)
    return text


def check_characters(text: str, *, field: str = "text") -> str:
    """Return `text` unchanged when every character can be stored; raises InvalidText otherwise."""
    if "\x00" in text:
        raise InvalidText("含有 NUL 字符 · contains a NUL character", field=field)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidText("含有孤立的代理码位 · contains a lone surrogate", field=field)
    return text
