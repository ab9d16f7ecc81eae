"""The engine of a request."""

from starlette.types import ASGIApp, Receive, Scope, Send

from nlp_service.inference.live import LiveEngine


class LendEngine:
    """Lends the current engine to each request, as `request.state.engine`, until it is answered.

    A generator of FastAPI's would do the same for a tenth of all that a request of one text costs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        live: LiveEngine | None = getattr(scope["app"].state, "live", None)
        if scope["type"] != "http" or live is None:  # that is so while it starts
            await self._app(scope, receive, send)
            return
        with live.lease() as engine:
            scope.setdefault("state", {})["engine"] = engine
            await self._app(scope, receive, send)
