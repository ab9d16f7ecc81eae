"""Counts how attempts to take promoted models end."""

from nlp_service.errors import Overloaded, ServiceError
from nlp_service.inference.live import LiveEngine
from nlp_service.observability.metrics import RELOADS

TAKEN, FAILED, POSTPONED = (RELOADS.labels(result) for result in ("taken", "failed", "postponed"))


def reload_models(live: LiveEngine) -> None:
    """As `LiveEngine.reload`, counted."""
    try:
        live.reload()
    except Overloaded:
        POSTPONED.inc()
        raise
    except ServiceError:
        FAILED.inc()
        raise
    TAKEN.inc()
