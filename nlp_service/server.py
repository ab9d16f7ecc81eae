"""Answers over HTTP, in this process or in workers of their own."""

import sys
from socket import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from nlp_service.api.protocol import BoundedHttp
from nlp_service.settings import Settings

HEALTH_SECONDS = 30
"""A worker that loads models on busy cores may not answer for some seconds: that is no reason to kill it."""
GRACE_SECONDS = 60
"""What was accepted is finished first when the service is stopped; no request waits over 30 seconds for an encoder."""
HANDLES = 32
"""On the socket that listens. The event loop (libuv) accepts one connection for each handle in a turn, and under load a
turn takes milliseconds: with one handle callers waited for seconds before they were heard (docs/decisions/0020)."""
NOT_STARTED = 3


def listen(config: uvicorn.Config) -> list[socket]:
    """Handles on a socket that is bound to the address of the configuration; exits when it is taken."""
    bound = config.bind_socket()
    return [bound, *(bound.dup() for _ in range(HANDLES - 1))]


def run(app: FastAPI | str, settings: Settings) -> None:
    """Serve until a signal ends it: an application, or the one that each worker makes by the function that is named."""
    config = uvicorn.Config(
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
    handles = listen(config)
    if settings.workers > 1:
        Multiprocess(config, sockets=handles).run()
        return
    server = uvicorn.Server(config)
    server.run(handles)
    if not server.started:
        sys.exit(NOT_STARTED)
