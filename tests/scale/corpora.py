"""A small corpus of this project's own texts, with lines that cannot be analysed among them."""

import json
from pathlib import Path

from tests.conftest import PROJECT

BROKEN = {7: "{", 23: "", 61: '{"text": 5}', 120: '{"text": "👍"}'}
"""Lines that cannot be analysed, by their index."""


def write_corpus(file: Path, records: int) -> None:
    """Chinese reviews and English tickets in turn."""
    chinese = _texts(PROJECT / "data" / "reviews" / "software_a.jsonl")
    english = _texts(PROJECT / "data" / "tickets" / "english_software.jsonl")
    texts = [text for pair in zip(chinese, english, strict=False) for text in pair]
    lines = [json.dumps({"id": index, "text": text}, ensure_ascii=False) for index, text in enumerate(texts[:records])]
    for index, broken in BROKEN.items():
        if index < records:
            lines[index] = broken
    assert len(lines) == records
    file.write_text("\n".join(lines) + "\n", "utf-8")


def _texts(file: Path) -> list[str]:
    return [json.loads(line)["text"] for line in file.read_text("utf-8").splitlines()]
