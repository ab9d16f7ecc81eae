"""Callers of a service: some who call as fast as they are answered, some who never send all of a request."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

TICKET = {"tickets": [{"text": "又闪退了，三次没保存"}]}
PATH = "/v1/classify"
PATIENCE = 30.0
"""Seconds."""
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n".encode()
BODY = b'Content-Length: 50\r\n\r\n{"tickets"'


class Callers:
    """Each calls again once it is answered; what they were answered, by status or the name of the error."""

    def __init__(self, url: str) -> None:
        self.answers: Counter[int | str] = Counter()
        self._url = url
        self._counting = threading.Lock()

    @contextmanager
    def calling(self, callers: int) -> Iterator[None]:
        """So many at a time, each on a connection of its own; in the end all have been answered."""
        ended = threading.Event()
        threads = [threading.Thread(target=self._call, args=(ended,)) for _ in range(callers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def _call(self, ended: threading.Event) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE) as client:
            while not ended.is_set():
                answer = self._answer(client)
                with self._counting:
                    self.answers[answer] += 1

    def _answer(self, client: httpx.Client) -> int | str:
        try:
            return client.post(PATH, json=TICKET).status_code
        except httpx.HTTPError as error:
            return type(error).__name__


@contextmanager
def half_requests(port: int, each: int) -> Iterator[list[socket.socket]]:
    """Connections with heads that never end, and as many with a part of a body."""
    with ExitStack() as stack:
        opened = []
        for sent in (HEAD, HEAD + BODY):
            for _ in range(each):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
                connection.sendall(sent)
                opened.append(connection)
        yield opened
