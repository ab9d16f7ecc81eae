"""What may be written of an exception.

A message may quote the text that something went wrong with, or a database its row. Classes and lines of code do not.
"""

import traceback
from collections.abc import Iterator

from nlp_service.errors import ServiceError


def without_messages(error: BaseException) -> str:
    """The traceback of an exception and of what caused it, each with its class alone."""
    parts = []
    for one in reversed(list(_chain(error))):
        frames = "".join(traceback.format_tb(one.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{class_name(one)}")
    return "\n\n".join(parts)


def described(error: BaseException) -> str:
    """Class of an exception, and the message where it is one of ours or of the operating system."""
    if isinstance(error, ServiceError):
        return f"{class_name(error)}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{class_name(error)}: {error.strerror}"
    wrapped = getattr(error, "orig", None)  # by SQLAlchemy, which is not imported for this: logs come first
    return f"{class_name(error)}: {class_name(wrapped)}" if isinstance(wrapped, Exception) else class_name(error)


def class_name(error: BaseException) -> str:
    """With its module, unless that is Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what caused it, and so on."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
