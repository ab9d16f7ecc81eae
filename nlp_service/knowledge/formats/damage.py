"""What a library does on a damaged file, as the error that people read."""

from collections.abc import Iterator
from contextlib import contextmanager

from nlp_service.errors import InvalidRecord, ServiceError


@contextmanager
def as_damage() -> Iterator[None]:
    """Whatever a parser of a document format raises becomes InvalidRecord; they fail in any way on damaged input."""
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        detail = f"文件已损坏,无法读取 · the file is damaged and cannot be read: {type(error).__name__}"
        raise InvalidRecord(detail, place=0) from error
