"""Answers over HTTP, in this process or in workers of their own."""

import uvicorn
from fastapi import FastAPI

from nlp_service.api.protocol import BoundedHttp
from nlp_service.settings import Settings

HEALTH_SECONDS = 30
"""A worker that loads models on busy cores may not answer for some seconds: that is no reason to kill it."""
GRACE_SECONDS = 60
"""What was accepted is finished first when the service is stopped; no request waits over 30 seconds for an encoder."""


def run(app: FastAPI | str, settings: Settings) -> None:
    """Serve until a signal ends it: an application, or the one that each worker makes by the function that is named."""
    uvicorn.run(
        app,
        factory=isinstance(app, str),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=BoundedHttp,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=HEALTH_SECONDS,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
