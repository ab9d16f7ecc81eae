"""A cluster of several Ray nodes on this machine, on loopback, ended afterwards."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from nlp_service.scale.cluster import stay_on_loopback, tell_nobody

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

STORE_BYTES = 80 * 1024 * 1024
"""Little, for machines with a small /dev/shm."""
SOON = {"RAY_health_check_period_ms": "1000"}
"""A node that ended is missed after some seconds."""


@contextmanager
def nodes(*cpus: int) -> Iterator["Cluster"]:
    """A running cluster with a node for each number of CPUs, the head first."""
    tell_nobody()
    stay_on_loopback()
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        with patch.dict(os.environ, SOON):
            for number in cpus:
                add_node(cluster, number)
        yield cluster
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def add_node(cluster: "Cluster", cpus: int) -> None:
    """One more node."""
    cluster.add_node(num_cpus=cpus, object_store_memory=STORE_BYTES, include_dashboard=False)
