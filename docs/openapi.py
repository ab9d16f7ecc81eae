"""Writes ``docs/openapi.json``, the HTTP contract, from the application: ``python docs/openapi.py``."""

import json
from pathlib import Path

from nlp_service.app import create_app

TARGET = Path(__file__).with_name("openapi.json")


def contract() -> str:
    """The OpenAPI document as it is kept in git: sorted keys, so that a change shows as a small difference."""
    return json.dumps(create_app().openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(contract(), "utf-8")
