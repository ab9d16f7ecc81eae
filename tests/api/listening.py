"""An application behind the server that serves it in production, in a thread of the tests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from nlp_service.api.protocol import BoundedHttp

PATIENCE = 30.0
"""Seconds."""


@contextmanager
def listening(app: FastAPI, http: type[BoundedHttp] = BoundedHttp) -> Iterator[tuple[uvicorn.Server, int]]:
    """A running server and its port on loopback."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, http=http))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield server, int(bound.getsockname()[1])
        server.should_exit = True
        thread.join(PATIENCE)
