"""Reads what `/metrics` answers."""

from collections.abc import Iterator

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(exposition: str) -> Iterator[Sample]:
    """All samples of an exposition."""
    for family in text_string_to_metric_families(exposition):
        yield from family.samples


def summed(exposition: str, name: str, **labels: str) -> float:
    """The sum of all samples with these labels, 0 where none has been counted yet."""
    chosen = (sample for sample in samples(exposition) if sample.name == name)
    return sum(float(sample.value) for sample in chosen if labels.items() <= sample.labels.items())


def value(client: TestClient, name: str, **labels: str) -> float:
    """As `summed`, of what the service answers now."""
    return summed(client.get("/metrics").text, name, **labels)


def label_sets(client: TestClient, name: str) -> list[dict[str, str]]:
    """The labels of every sample of a metric."""
    return [sample.labels for sample in samples(client.get("/metrics").text) if sample.name == name]
