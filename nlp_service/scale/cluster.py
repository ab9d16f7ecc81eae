"""The Ray cluster that work runs on: one that is running, or one of this machine alone, made for the time being.

Everybody who reaches the ports of a Ray cluster can run code on all of its machines: its network must be private. A
cluster of this machine alone listens on loopback and wants a token besides, which is made anew each time and told to
nobody but its own processes.
"""

import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nlp_service.errors import ServiceError
from nlp_service.scale.proxy import PROXY_SETTINGS

LOCAL = "local"
NOT_SENT = frozenset({"NLP_SECRET", "NLP_DATABASE_URL"})
"""Settings that may hold secrets: every machine has them from its own environment, never by way of Ray."""
OBJECT_STORE_BYTES = 128 * 1024 * 1024
"""Only descriptions of shards, receipts and HTTP messages pass through it."""


@contextmanager
def ray_cluster(address: str | None, *, cpus: int | None = None, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """Connect to the cluster at `address` or RAY_ADDRESS, or start one with `cpus`; gives the number of its machines.

    `env` is set in every process that is started for this one. Raises ServiceError when Ray is not installed, or no
    cluster answers.
    """
    wanted = address or os.environ.get("RAY_ADDRESS") or LOCAL
    tell_nobody()
    if wanted == LOCAL:
        stay_on_loopback()
    try:
        import ray
    except ImportError as error:
        raise ServiceError("未安装 Ray · Ray is not installed: pip install 'nlp-service[ray]'") from error
    logging.getLogger("ray").setLevel(logging.WARNING)
    started: dict[str, Any] = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES} if wanted == LOCAL else {}
    try:
        ray.init(
            address=wanted,
            include_dashboard=False if wanted == LOCAL else None,
            log_to_driver=False,
            configure_logging=False,
            runtime_env={"env_vars": {**PROXY_SETTINGS, **sent_settings(), **(env or {})}},
            **started,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ServiceError(f"{wanted}: 无法连接 Ray 集群 · cannot reach the Ray cluster: {error}") from error
    try:
        yield sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]
    finally:
        ray.shutdown()


def tell_nobody() -> None:
    """Send no usage statistics, unless the environment says otherwise; to be called before Ray is imported."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def stay_on_loopback() -> None:
    """Let the Ray processes that are started listen on loopback alone; to be called before Ray is imported."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's name for it, which counts on every system
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})


def sent_settings() -> dict[str, str]:
    """Settings of this process that those on other machines get."""
    return {name: value for name, value in os.environ.items() if name.startswith("NLP_") and name not in NOT_SENT}
