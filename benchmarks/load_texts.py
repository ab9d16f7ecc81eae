"""What callers of the load benchmark ask: the project's own tickets and queries."""

import json
import random
from pathlib import Path

from nlp_service.settings import Settings

TICKETS = 2_000
LONGEST = 1_900
"""Characters: what makes each text different still fits into a request."""


def read_tickets() -> list[str]:
    """Texts of tickets of all kinds and lengths, the same ones each time."""
    texts = [text for text in _read(Settings().home / "data" / "tickets", "text") if len(text) <= LONGEST]
    return random.Random(0).sample(texts, TICKETS)


def read_queries() -> list[str]:
    """Search queries."""
    return _read(Settings().home / "data" / "search", "query")


def read_articles() -> list[dict[str, object]]:
    """The articles that are searched."""
    files = sorted((Settings().home / "data" / "knowledge").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def _read(folder: Path, field: str) -> list[str]:
    lines = (line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines())
    return [record[field] for record in map(json.loads, lines) if field in record]
