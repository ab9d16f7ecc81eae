"""A service that cannot start says why in one line, unless nobody expected it."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import URL

from nlp_service.app import create_app
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings

FAILED = "lifespan.startup.failed"


def _started(app: FastAPI) -> tuple[list[Mapping[str, Any]], Exception | None]:
    """What the server is told when it starts the application, and stops it where it started; and what is raised."""
    told: list[Mapping[str, Any]] = []

    async def start() -> None:
        events = asyncio.Queue[dict[str, str]]()
        for name in ("startup", "shutdown"):
            events.put_nowait({"type": f"lifespan.{name}"})

        async def send(message: Any) -> None:
            told.append(message)

        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, events.get, send)

    try:
        asyncio.run(start())
    except ZeroDivisionError as error:
        return told, error
    return told, None


def _with(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": url})


def test_a_service_that_starts_is_as_it_was(settings: Settings, engine: Engine) -> None:
    told, _ = _started(create_app(settings, engine))
    assert [message["type"] for message in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_database_that_cannot_be_opened_is_one_line(settings: Settings, engine: Engine) -> None:
    (told,), raised = _started(create_app(_with(settings, "sqlite:////proc/nlp.db"), engine))
    assert raised is None
    assert told["type"] == FAILED
    assert told["message"].startswith("无法打开数据库")
    assert "sqlite:////proc/nlp.db" in told["message"]
    assert "\n" not in told["message"]


def test_a_password_is_not_told(settings: Settings, engine: Engine) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = URL.create("postgresql+psycopg", "someone", "hunter2", "127.0.0.1", nobody.getsockname()[1], "nlp")
        (told,), _ = _started(create_app(_with(settings, url.render_as_string(hide_password=False)), engine))
    assert told["type"] == FAILED
    assert "127.0.0.1" in told["message"]
    assert "hunter2" not in told["message"]


def test_what_nobody_expected_has_its_traceback(
    settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("nlp_service.app.ArticleVotes", broken)
    (told,), raised = _started(create_app(settings, engine))
    assert isinstance(raised, ZeroDivisionError)
    assert told["type"] == FAILED
    assert "Traceback" in told["message"]
