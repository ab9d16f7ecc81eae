"""Texts that break the schema, or that should not have been kept as they are."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from nlp_service.text.personal_data import mask
from nlp_service.text.validation import MAX_CHARACTERS
from training.audit.entry import Entry

Fault = Literal["blank", "too long", "lone surrogate", "control character", "personal data", "duplicate id"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
_LAYOUT = "\t\n\r"


@dataclass(frozen=True)
class SchemaFault:
    """One thing that is wrong with one text."""

    fault: Fault
    entry: Entry


def schema_faults(entries: Sequence[Entry]) -> tuple[SchemaFault, ...]:
    """Everything wrong with the texts, in the order of `FAULTS`; a text with two faults stands there twice."""
    times = Counter(entry.example.id for entry in entries)
    found = [SchemaFault(fault, entry) for entry in entries for fault in _faults(entry.example.text)]
    found += [SchemaFault("duplicate id", entry) for entry in entries if times[entry.example.id] > 1]
    return tuple(sorted(found, key=lambda fault: FAULTS.index(fault.fault)))


def is_readable(text: str) -> bool:
    """Whether a tokenizer can take the text and finds something in it: not blank, no lone surrogate."""
    return bool(text.strip()) and not any(unicodedata.category(character) == "Cs" for character in text)


def _faults(text: str) -> list[Fault]:
    categories = {unicodedata.category(character) for character in text if character not in _LAYOUT}
    broken: dict[Fault, bool] = {
        "blank": not text.strip(),
        "too long": len(text) > MAX_CHARACTERS,
        "lone surrogate": "Cs" in categories,
        "control character": "Cc" in categories,
        "personal data": mask(text) != text,
    }
    return [fault for fault, is_so in broken.items() if is_so]
