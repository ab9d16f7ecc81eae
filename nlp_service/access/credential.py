"""API keys as text: ``nlp_<prefix>_<secret part>``, and what is stored of them.

The secret part is 256 bits at random, so nobody can guess it, and a hash that is slow on purpose would protect nothing.
What is stored is HMAC-SHA-256 under the service's secret: who reads the database can neither use nor check a key, and
who writes to it can make none.
"""

import hmac
import re
import secrets

_FORM = re.compile(r"(nlp_[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
SECRET_BYTES = 32
"""The service's secret has at least so many."""


def new_credential() -> tuple[str, str]:
    """The visible prefix of a new key, and the whole key."""
    prefix = f"nlp_{secrets.token_hex(6)}"
    return prefix, f"{prefix}_{secrets.token_urlsafe(32)}"


def prefix_of(credential: str) -> str | None:
    """The visible prefix; none when the text cannot be a key."""
    match = _FORM.fullmatch(credential)
    return match[1] if match else None


def digest_of(credential: str, secret: bytes) -> str:
    """HMAC-SHA-256 in hexadecimal, 64 characters."""
    return hmac.new(secret, credential.encode(), "sha256").hexdigest()
