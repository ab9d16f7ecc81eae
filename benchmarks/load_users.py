"""Users for ``benchmarks/load.py``, run by locust: each asks at random times (Poisson), whatever the service does.

LOAD_KIND is classify, alike (classify with texts of about one length), search or mix; LOAD_RATE the requests a second
of one user, who asks again at once where it is 0.
"""

import itertools
import os
import random
import time
from typing import Any

from locust import FastHttpUser, task

from benchmarks.load_texts import read_queries, read_tickets

KIND, RATE = os.environ["LOAD_KIND"], float(os.environ["LOAD_RATE"])
ALIKE = range(20, 41)
"""Characters of texts that take about the same time."""
QUERIES = read_queries()
TICKETS = [text for text in read_tickets() if KIND != "alike" or len(text) in ALIKE]
number = itertools.count(random.randrange(10**6))
ACCEPTED, REFUSED = "accepted", "refused"


class Caller(FastHttpUser):
    """Sends one text at a time, never the same twice."""

    host = os.environ["LOAD_HOST"]
    due = 0.0

    def on_start(self) -> None:
        """Locust's own users of a constant rate would all ask at the same moments."""
        self.due = time.time()
        time.sleep(self.wait_time())

    def wait_time(self) -> float:
        """Seconds until the next request is due."""
        if not RATE:
            return 0.0
        self.due += random.expovariate(RATE)
        return max(0.0, self.due - time.time())

    @task
    def ask(self) -> None:
        """One request."""
        if KIND in {"classify", "alike"} or (KIND == "mix" and random.random() < 0.7):
            text = f"{random.choice(TICKETS)} {next(number)}"
            self._post("/v1/classify", {"tickets": [{"text": text}]})
        else:
            self._post("/v1/search", {"query": f"{random.choice(QUERIES)} {next(number)}", "top_k": 5})

    def _post(self, path: str, body: object) -> None:
        with self.client.post(path, json=body, name=ACCEPTED, catch_response=True) as response:
            answer: Any = response
            if answer.status_code == 429:
                answer.request_meta["name"] = REFUSED
                answer.success()
            elif answer.status_code != 200:
                answer.failure(f"{answer.status_code}")
