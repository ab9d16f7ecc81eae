"""What callers of the load benchmark ask, and when."""

import itertools
import json
import random
from collections.abc import Iterator
from typing import Literal

from benchmarks.load_texts import read_queries, read_tickets
from benchmarks.load_wrk import Asked

KINDS = ("classify", "alike", "search", "mix")
"""`alike` are tickets of about one length; the mix are seven tickets of ten requests, and searches."""
ALIKE = range(20, 41)
"""Characters of texts that take about the same time."""
CLASSIFIED = {"classify": 1.0, "alike": 1.0, "search": 0.0, "mix": 0.7}
Arrivals = Literal["at once", "evenly", "at random"]
"""As soon as a caller is answered, at the same distance from one to the next, or like a Poisson process."""
_numbers = itertools.count(random.randrange(10**6))


def requests(kind: str, arrivals: Arrivals, rate: float) -> Iterator[Asked]:
    """One text each, never the same twice, without end; due so many a second, if not at once."""
    tickets = [text for text in read_tickets() if kind != "alike" or len(text) in ALIKE]
    queries = read_queries()
    due = 0.0
    for number in _numbers:
        if random.random() < CLASSIFIED[kind]:
            body = {"tickets": [{"text": f"{random.choice(tickets)} {number}"}]}
            yield Asked(due, "/v1/classify", _encoded(body))
        else:
            yield Asked(due, "/v1/search", _encoded({"query": f"{random.choice(queries)} {number}", "top_k": 5}))
        due += {"at once": 0.0, "evenly": 1 / rate, "at random": random.expovariate(rate)}[arrivals]


def _encoded(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
