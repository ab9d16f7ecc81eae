"""The service on a Ray cluster: Ray Serve starts replicas of the application and hands requests to them."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlp_service.errors import ServiceError
from nlp_service.scale.replica import METRICS_FOLDER, Replica, app_builder
from nlp_service.scale.store import check_store, database_name
from nlp_service.settings import Settings

APPLICATION = "nlp-service"
ONGOING_REQUESTS = 4096
"""Of a replica, which refuses by itself what would wait too long. Where they are all taken, requests wait in the proxy,
which refuses nobody, and Ray looks for a place for them so seldom that replicas stand idle."""
ATTEMPTS = 2
SHUTDOWN_SECONDS = 60


@dataclass(frozen=True)
class Scaling:
    """When replicas are started and stopped, by the requests that they have at a time."""

    requests: float = 8
    """What a replica should have, on average over the window; with more, another one is started."""
    window_seconds: float = 20
    report_seconds: float = 10
    """How often each proxy says how many there are; less than the window."""
    up_seconds: float = 10
    """For so long there must be too many. A replica takes seconds to start, a caller who is refused tries again."""
    down_seconds: float = 300
    """For so long there must be few enough: to stop too early costs a start."""


@dataclass(frozen=True)
class ServeOptions:
    """How many replicas; with more at most than at least, as many as there are requests for."""

    replicas: int = 1
    max_replicas: int | None = None
    scaling: Scaling = Scaling()

    @property
    def most(self) -> int:
        """Replicas at most."""
        return max(self.replicas, self.max_replicas or 0)


@contextmanager
def served(settings: Settings, options: ServeOptions, machines: int) -> Iterator[None]:
    """The service on the cluster that is connected, once it is ready; it finishes what it began, then stops.

    Raises ServiceError when the replicas do not start, or would not share their database.
    """
    check_store(settings, machines)
    from ray import serve

    folder = Path(tempfile.gettempdir()) / f"nlp-shared-{uuid.uuid4().hex}"
    serve.start(
        proxy_location="EveryNode" if machines > 1 else "HeadOnly",
        http_options={"host": settings.host, "port": settings.port},
    )
    try:
        try:
            serve.run(_application(settings, options, folder), name=APPLICATION, route_prefix="/")
        except RuntimeError as error:
            raise ServiceError(f"副本未能启动 · the replicas did not start: {_reason() or error}") from error
        yield
    finally:
        serve.delete(APPLICATION)  # first, while the proxies stand: replicas answer what they have begun
        serve.shutdown()  # type: ignore[no-untyped-call]
        shutil.rmtree(folder, ignore_errors=True)


def _application(settings: Settings, options: ServeOptions, folder: Path) -> Any:
    from ray import serve
    from ray.serve.config import AutoscalingConfig
    from ray.serve.schema import LoggingConfig

    threads = settings.threads or 1
    amount: dict[str, Any] = {"num_replicas": options.replicas}
    if options.most > options.replicas:
        scaling = options.scaling
        amount = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=options.replicas,
                max_replicas=options.most,
                target_ongoing_requests=scaling.requests,
                look_back_period_s=scaling.window_seconds,
                metrics_interval_s=scaling.report_seconds,
                upscale_delay_s=scaling.up_seconds,
                downscale_delay_s=scaling.down_seconds,
            )
        }
    environment = {"NLP_SHARED_DIR": str(folder), METRICS_FOLDER: str(folder / "metrics"), "NLP_THREADS": str(threads)}
    ingress = serve.ingress(app_builder(database_name(settings)))(Replica)
    configured = serve.deployment(
        name=APPLICATION,
        max_ongoing_requests=ONGOING_REQUESTS,
        max_constructor_retry_count=ATTEMPTS,
        graceful_shutdown_timeout_s=SHUTDOWN_SECONDS,
        ray_actor_options={"num_cpus": threads, "runtime_env": {"env_vars": environment}},
        logging_config=LoggingConfig(enable_access_log=False),
        **amount,
    )
    return configured(ingress).bind()


def _reason() -> str:
    """What a replica said last when it failed to start."""
    from ray import serve

    applications = serve.status().applications
    deployments = applications[APPLICATION].deployments if APPLICATION in applications else {}
    said = [deployment.message.strip() for deployment in deployments.values()]
    return "; ".join(message.splitlines()[-1] for message in said if message)
