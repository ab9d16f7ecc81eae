"""What holds of every answer of a kind."""

from typing import Any, Protocol


class Answer(Protocol):
    """What is looked at of an HTTP answer."""

    @property
    def status_code(self) -> int: ...

    @property
    def text(self) -> str: ...

    @property
    def headers(self) -> Any: ...

    def json(self) -> Any: ...


def problem_of(answer: Answer, status: int) -> dict[str, Any]:
    """The problem document of an answer that must be one (RFC 9457)."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


def fields_of(document: dict[str, Any]) -> set[str]:
    """The fields that a problem document names."""
    return {error["field"] for error in document.get("errors", [])}
