"""Masks personal data before a text is stored or indexed.

Covers what identifies a person by itself: mobile numbers, resident identity numbers, bank cards, e-mail addresses.
Hotlines (400, 800, land lines) and role mailboxes such as ``support@`` belong to a company and stay.
"""

import re

_ROLES = "support|service|help|helpdesk|info|admin|sales|contact|noreply|no-reply|hr|it|kefu|security|abuse|postmaster"
_EMAIL = re.compile(
    rf"(?<![A-Za-z0-9_.+*@-])(?!(?:{_ROLES})@)([A-Za-z0-9._%+-]{{1,64}})@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{{2,}})",
    re.IGNORECASE,
)
# A number stands alone: no digit, letter or mask touches it.
_START, _END = r"(?<![0-9A-Za-z*])", r"(?![0-9A-Za-z*])"
_IDENTITY = re.compile(
    rf"{_START}([1-9][0-9]{{5}})(?:19|20)[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{{3}}[0-9Xx]{_END}"
)
_CARD = re.compile(rf"{_START}(?:[0-9]{{16,19}}|[0-9]{{4}}(?:[ -][0-9]{{4}}){{3}}(?:[ -][0-9]{{1,3}}(?![0-9]))?){_END}")
_MOBILE = re.compile(rf"{_START}((?:(?:\+|00)?86[- ]?)?1[3-9][0-9])[- ]?([0-9]{{4}})[- ]?([0-9]{{4}}){_END}")
_DIGITS = {0xFF10 + digit: 0x30 + digit for digit in range(10)}
_SHORT_CARD = 16


def mask(text: str) -> str:
    """`text` with personal data replaced, so that a reader still sees what kind of thing stood there."""
    plain = text.translate(_DIGITS)
    masked = _IDENTITY.sub(lambda match: match[1] + "*" * 12, plain)
    masked = _CARD.sub(_mask_card, masked)
    masked = _MOBILE.sub(lambda match: f"{match[1]}****{match[3]}", masked)
    masked = _EMAIL.sub(lambda match: f"{match[1][0]}***@{match[2]}", masked)
    return text if masked == plain else masked


def identifies_a_person(text: str) -> bool:
    """Whether a mobile number, an identity number or a personal e-mail address stands in `text`."""
    plain = text.translate(_DIGITS)
    return any(pattern.search(plain) for pattern in (_IDENTITY, _MOBILE, _EMAIL))


def _mask_card(match: re.Match[str]) -> str:
    """Mask a card number; of a grouped number also without its last group, which may be an amount that follows."""
    whole = match[0]
    shorter = whole[: whole.rfind(" ")] if whole.count(" ") > 3 else whole
    for candidate in (whole, shorter):
        digits = re.sub(r"[^0-9]", "", candidate)
        if len(digits) >= _SHORT_CARD and _luhn(digits):
            return digits[:4] + "*" * (len(digits) - 8) + digits[-4:] + whole[len(candidate) :]
    return whole


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812."""
    doubled = [int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0
