"""What the soak benchmark asks: everything that a service gets, in shares that let a million requests end.

Most requests are cheap: their texts were computed before, or there is nothing to compute. The shares, of all requests:

| share | request |
| --- | --- |
| `new` (2 %) | one text that was never sent before: classify, sentiment, or a search |
| 28 % | classify, 1 to 8 known texts, short and long, Chinese and English, some with emoji |
| 15 % | sentiment, 1 to 8 known texts |
| 10 % | search, a known query |
| 3 % | a batch of 64 known texts |
| 20 % | refused: no JSON, no texts, a text too long or of emoji alone, unknown fields, a wrong method or address |
| the rest | `/livez`, `/readyz`, `/v1/models`, `/metrics` |

Known texts are sent again and again, so their vectors are remembered. Nothing is stored: tickets that are taken in
would let the indexes grow, which is no leak.
"""

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nlp_service.text.validation import MAX_CHARACTERS

LONG_BATCH, MOST_TEXTS = 64, 8
EMOJI = ("😡", "👍🏽", "👩‍💻", "🙃🙃")


@dataclass(frozen=True)
class Asked:
    """A request, and the status of its answer."""

    method: str
    path: str
    body: bytes | None
    status: int


class Mix:
    """Draws requests; each caller has one of its own, with a `name` that no other has."""

    def __init__(self, texts: Sequence[str], queries: Sequence[str], *, new: float, name: str) -> None:
        self._texts, self._queries, self._name = texts, queries, name
        self._random = random.Random(name)
        self._number = itertools.count()
        kinds: dict[Callable[[], Asked], float] = {
            self._new: new,
            self._classify: 0.28,
            self._sentiment: 0.15,
            self._search: 0.10,
            self._batch: 0.03,
            self._refused: 0.20,
        }
        kinds[self._look] = 1 - sum(kinds.values())
        self._kinds, self._shares = list(kinds), list(kinds.values())

    def draw(self) -> Asked:
        """The next request."""
        (kind,) = self._random.choices(self._kinds, self._shares)
        return kind()

    def _some(self, count: int) -> list[str]:
        return self._random.choices(self._texts, k=count)

    def _new(self) -> Asked:
        text = f"{self._random.choice(self._texts)} {self._name}-{next(self._number)}"
        kind = self._random.random()
        if kind < 0.5:
            return _post("/v1/classify", {"tickets": [{"text": text}]})
        if kind < 0.8:
            return _post("/v1/sentiment", {"texts": [f"{text}{self._random.choice(EMOJI)}"], "aspects": True})
        return _post("/v1/search", {"query": f"{self._random.choice(self._queries)} {text[-12:]}"})

    def _classify(self) -> Asked:
        texts = self._some(self._random.randint(1, MOST_TEXTS))
        return _post("/v1/classify", {"tickets": [{"text": text, "reported_as": "fault"} for text in texts]})

    def _sentiment(self) -> Asked:
        return _post("/v1/sentiment", {"texts": self._some(self._random.randint(1, MOST_TEXTS))})

    def _search(self) -> Asked:
        return _post("/v1/search", {"query": self._random.choice(self._queries), "top_k": 5})

    def _batch(self) -> Asked:
        return _post("/v1/sentiment", {"texts": self._some(LONG_BATCH), "aspects": True})

    def _refused(self) -> Asked:
        text, number = self._random.choice(self._texts), next(self._number)
        return self._random.choice((
            Asked("POST", "/v1/classify", b'{"tickets": [', 400),
            _post("/v1/classify", {"tickets": []}, 422),
            _post("/v1/sentiment", {"texts": [text + "长" * MAX_CHARACTERS]}, 422),
            _post("/v1/sentiment", {"texts": [self._random.choice(EMOJI)]}, 422),
            _post("/v1/sentiment", {"texts": [text], f"field_{number}": 1}, 422),
            _post("/v1/search", {"query": text[:100], "top_k": -1}, 422),
            Asked("DELETE", "/v1/classify", None, 405),
            Asked("GET", f"/v1/none/{self._name}/{number}", None, 404),
            Asked("GET", f"/v1/knowledge/{10**9 + number}", None, 404),
        ))  # fmt: skip

    def _look(self) -> Asked:
        (path,) = self._random.choices(("/livez", "/readyz", "/v1/models", "/metrics"), (5, 3, 1, 1))
        return Asked("GET", path, None, 200)


def _post(path: str, body: dict[str, Any], status: int = 200) -> Asked:
    return Asked("POST", path, json.dumps(body, ensure_ascii=False).encode(), status)
