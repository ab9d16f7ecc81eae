"""How connections come in."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from nlp_service.server import HANDLES, listen

PATIENCE = 30.0
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Turns:
    """An application, and how often the loop went round since it began; each turn takes some milliseconds."""

    seconds = 0.005

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._turn()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    def _turn(self) -> None:
        self.count += 1
        time.sleep(self.seconds)
        asyncio.get_running_loop().call_soon(self._turn)


def test_many_connections_are_accepted_in_few_turns_of_a_busy_loop() -> None:
    pytest.importorskip("uvloop")  # asyncio's own loop accepts all that wait
    turns = Turns()
    config = uvicorn.Config(turns, host="127.0.0.1", port=0, loop="uvloop", log_config=None)
    server = uvicorn.Server(config)
    handles = listen(config)
    thread = threading.Thread(target=server.run, args=(handles,))
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    with ExitStack() as stack:
        before = turns.count
        callers = [
            stack.enter_context(socket.create_connection(handles[0].getsockname(), timeout=PATIENCE))
            for _ in range(4 * HANDLES)
        ]
        for caller in callers:
            caller.sendall(REQUEST)
        for caller in callers:
            assert caller.recv(100).startswith(b"HTTP/1.1 204")
        needed = turns.count - before
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert needed < 2 * HANDLES
