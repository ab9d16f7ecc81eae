"""What runs in each replica of the service: the same application, with models, indexes and migrations of its own.

The application is imported only in the replica, once the folder stands that its metrics are written to.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nlp_service.scale.request_id import RequestIdOfProxy
from nlp_service.scale.store import check_same_store, check_store
from nlp_service.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Read by prometheus_client when it makes the first metric; `nlp_service.observability` does so when it is imported."""


def app_builder(database: str) -> Callable[[], "FastAPI"]:
    """What makes the application in a replica, given the name of the database of the machine that starts it."""

    def build() -> "FastAPI":
        settings = Settings()
        check_same_store(settings, database)
        check_store(settings, _machines())
        if settings.shared_dir is not None:
            settings.shared_dir.mkdir(mode=0o700, exist_ok=True)
            Path(os.environ[METRICS_FOLDER]).mkdir(mode=0o700, exist_ok=True)
        from nlp_service.app import create_app

        app = create_app(settings)
        app.add_middleware(RequestIdOfProxy)
        return app

    return build


class Replica:
    """Ray asks it now and then whether it is well, and replaces it when it is not."""

    app: "FastAPI"

    def check_health(self) -> None:
        """Raise when an encoder has stopped, which a new replica mends.

        A database that does not answer is no reason: `/readyz` says so, and the replica recovers with it.
        """
        with self.app.state.live.lease() as engine:
            if not engine.alive:
                raise RuntimeError("编码器已停止 · an encoder has stopped")


def _machines() -> int:
    import ray

    return sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]
