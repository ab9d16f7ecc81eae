"""A caller that leaves while its answer is ready, or is cancelled by somebody else."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from nlp_service.api.gone import CLIENT_CLOSED_REQUEST, CancelWhenGone

SCOPE = {"type": "http", "path": "/reads"}
BODY = {"type": "http.request", "body": b"{}", "more_body": False}


class Caller:
    """Sends a body, leaves when told, and keeps what it is answered."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.statuses: list[int] = []
        self._sent = False

    async def receive(self) -> Message:
        if not self._sent:
            self._sent = True
            return BODY
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.statuses.append(message["status"])


async def _outer(caller: Caller, inner: asyncio.Event, left_with_the_answer: bool) -> str:
    """What surrounds the handling, which is never cancelled itself."""

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        inner.set()
        if left_with_the_answer:
            caller.left.set()
            await asyncio.sleep(0)  # the caller is gone, its watcher has not been asked yet
            return
        await asyncio.Event().wait()

    await CancelWhenGone(app, ["/reads"])(SCOPE, caller.receive, caller.send)
    for _ in range(5):
        await asyncio.sleep(0)
    return "went on"


def test_who_leaves_with_the_answer_cancels_nothing_outside() -> None:
    async def run() -> None:
        assert await _outer(Caller(), asyncio.Event(), left_with_the_answer=True) == "went on"

    asyncio.run(run())


def test_who_leaves_before_ends_the_handling_alone() -> None:
    async def run() -> None:
        caller, inner = Caller(), asyncio.Event()
        outer = asyncio.create_task(_outer(caller, inner, left_with_the_answer=False))
        await inner.wait()
        caller.left.set()
        assert await outer == "went on"
        assert caller.statuses == [CLIENT_CLOSED_REQUEST]
        assert outer.cancelling() == 0

    asyncio.run(run())


def test_what_is_cancelled_by_somebody_else_stays_cancelled() -> None:
    async def run() -> None:
        caller, inner = Caller(), asyncio.Event()
        outer = asyncio.create_task(_outer(caller, inner, left_with_the_answer=False))
        await inner.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert caller.statuses == []

    asyncio.run(run())
