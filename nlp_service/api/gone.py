"""Computes nothing for callers that have gone."""

import asyncio
from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLIENT_CLOSED_REQUEST = 499
"""What nginx logs for such a request; nobody receives it."""


class CancelWhenGone:
    """Cancels the handling of a request when its connection is closed, on `paths` whose handlers write nothing.

    Stands inside whatever reads and checks the body, which it expects in one message.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        body = await receive()
        handling = asyncio.current_task()
        assert handling is not None  # noqa: S101 - this runs in one
        inside = True

        def cancel(gone: asyncio.Future[Message]) -> None:
            if inside and not gone.cancelled():
                handling.cancel()

        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(cancel)
        try:
            await self._app(scope, _first(body, gone), send)
        except asyncio.CancelledError:
            if not gone.done() or handling.uncancel():  # somebody else cancels, perhaps as well
                raise
            await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        finally:
            inside = False
            gone.cancel()


async def _gone(receive: Receive) -> Message:
    """Ends when the connection is closed; not at all with a server that has something else to say after the body."""
    message = await receive()
    if message["type"] != "http.disconnect":
        await asyncio.Event().wait()
    return message


def _first(body: Message, gone: asyncio.Future[Message]) -> Receive:
    """Gives the body once, then waits until the caller has gone."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await asyncio.shield(gone)
        given = True
        return body

    return receive
