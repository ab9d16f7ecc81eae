"""What keeps the service from starting is told in one line."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlp_service.errors import ServiceError

FAILED = "lifespan.startup.failed"


class PlainStart:
    """Gives the server the message of an expected error instead of a traceback; of any other, the traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: Message | None = None

        async def send_unless_failed(message: Message) -> None:
            nonlocal failed
            if message["type"] == FAILED:
                failed = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, send_unless_failed)
        except ServiceError as error:
            if failed is None:
                raise
            await send({"type": FAILED, "message": str(error)})
        except BaseException:
            if failed is not None:
                await send(failed)
            raise
