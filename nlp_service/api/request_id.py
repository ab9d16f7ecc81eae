"""The id that a request has in answers, logs and traces."""

import re
import uuid

_HARMLESS = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(given: str) -> str:
    """What the caller gave as `X-Request-ID` when it is harmless, else a new one."""
    return given if _HARMLESS.fullmatch(given) else uuid.uuid4().hex
