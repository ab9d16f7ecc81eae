"""Waiting in the event loop for what is computed elsewhere."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def awaited(future: "Future[Result]") -> "asyncio.Future[Result]":
    """As `asyncio.wrap_future`, to be called in the loop, for a future that the loop itself may complete (`told_in`).

    Who waits is told at once then; otherwise the loop would wake itself for another turn.
    """
    loop = asyncio.get_running_loop()
    own: asyncio.Future[Result] = loop.create_future()

    def settle(done: "Future[Result]") -> None:  # without the future of the closure, which would be a cycle
        if own.done():
            return
        if done.cancelled():
            own.cancel()
        elif (error := done.exception()) is not None:
            own.set_exception(error)
        else:
            own.set_result(done.result())

    def ended(done: "Future[Result]") -> None:
        if asyncio._get_running_loop() is loop:
            settle(done)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(settle, done)

    def given_up(one: "asyncio.Future[Result]") -> None:
        if one.cancelled():
            future.cancel()

    own.add_done_callback(given_up)
    future.add_done_callback(ended)
    return own
