"""The worst of Unicode: emoji of many code points, stacked marks, directions. Read, and stored as it was given."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

TEXTS = {
    "2,000 emoji": "好" + "😀" * 1_999,
    "emoji of many code points": "好" + ("👨🏽‍👩🏽‍👧🏽‍👦🏽" * 200)[:1_999],
    "flags": "好" + "🇨🇳" * 999,
    "stacked marks": "e" + "\u0301" * 1_999,
    "both directions": ("\u202e导出\u202c\u2066אב\u2069" * 250)[:2_000],
    "zero width": ("导\u200b\u200d\ufeff" * 500)[:2_000],
    "variation selectors": ("\u845b\U000e0100" * 1_000)[:2_000],
    "beyond the basic plane": "\U00020000" * 2_000,
    "decomposed Korean": "\u1112\u1161\u11ab" * 666,
    "longer in lower case": "İ" * 2_000,
    "last code point": "好\U0010ffff",
}
every = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())


@every
def test_a_text_is_understood(service: TestClient, text: str) -> None:
    calls: dict[str, dict[str, Any]] = {
        "/v1/classify": {"tickets": [{"text": text}]},
        "/v1/sentiment": {"texts": [text], "aspects": True},
        "/v1/embeddings": {"input": [text]},
        "/v1/search": {"query": text},
    }
    assert {path: service.post(path, json=body).status_code for path, body in calls.items()} == dict.fromkeys(
        calls, 200
    )


@every
def test_a_text_is_stored_as_it_was_given(client: TestClient, text: str) -> None:
    created = client.post("/v1/knowledge", json={"title": "字符", "problem": text, "solution": text})
    stored = client.get(created.headers["Location"]).json()
    assert (stored["problem"], stored["solution"]) == (text, text)
