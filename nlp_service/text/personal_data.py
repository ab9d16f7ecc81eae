"""Masks personal data before a text is stored or indexed.

Covers what identifies a person by itself: mobile numbers, resident identity numbers, bank cards, e-mail addresses.
Hotlines (400, 800, land lines) and role mailboxes such as ``support@`` belong to a company and stay.
"""

import re

_ROLES = "support|service|help|helpdesk|info|admin|sales|contact|noreply|no-reply|hr|it|kefu|security|abuse|postmaster"
_EMAIL = re.compile(
    rf"(?<![A-Za-z0-9_.+-])(?!(?:{_ROLES})@)([A-Za-z0-9._%+-]{{1,64}})@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{{2,}})",
    re.IGNORECASE,
)
_IDENTITY = re.compile(
    r"(?<![0-9A-Za-z])([1-9]\d{5})(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx](?![0-9A-Za-z])"
)
_CARD = re.compile(r"(?<![0-9A-Za-z])(?:\d[ -]?){15,18}\d(?![0-9A-Za-z])")
_MOBILE = re.compile(r"(?<![0-9A-Za-z])((?:\+?86[- ]?)?1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?![0-9A-Za-z])")
CARD_MIN_DIGITS = 16
CARD_MAX_DIGITS = 19


def mask(text: str) -> str:
    """`text` with personal data replaced, so that a reader still sees what kind of thing stood there."""
    text = _IDENTITY.sub(lambda match: match[1] + "*" * 12, text)
    text = _CARD.sub(_mask_card, text)
    text = _MOBILE.sub(lambda match: f"{match[1]}****{match[3]}", text)
    return _EMAIL.sub(lambda match: f"{match[1][0]}***@{match[2]}", text)


def _mask_card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    if not CARD_MIN_DIGITS <= len(digits) <= CARD_MAX_DIGITS or not _luhn(digits):
        return match[0]
    return digits[:4] + "*" * (len(digits) - 8) + digits[-4:]


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812."""
    doubled = [int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
