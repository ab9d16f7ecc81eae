"""Who answers a ticket, and by when: a table from label to tier (``triage.toml``)."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from nlp_service.inference.classification import Classification

OTHER_LABELS = "*"
REVIEW_REASON = "把握不足,请人工确认类别 · low confidence, a person should confirm the class"


class _Promise(BaseModel):
    tier: Literal[1, 2, 3]
    priority: Literal["high", "normal", "low"]
    team: str
    respond_within_minutes: int = Field(ge=1)
    resolve_within_minutes: int = Field(ge=1)


class Triage(_Promise):
    """Tier, team and promised minutes of a ticket, and why."""

    reasons: list[str]


class _Rule(_Promise):
    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str


def triage(classification: Classification) -> Triage:
    """The table's row for the label, or its row for labels that it does not know.

    A low confidence is named as a reason; it changes no tier.
    """
    table = _table()
    rule = table.get(classification.label, table[OTHER_LABELS])
    reasons = [rule.reason, *([REVIEW_REASON] if classification.needs_review else [])]
    return Triage(reasons=reasons, **rule.model_dump(exclude={"reason"}))


@cache
def _table() -> dict[str, _Rule]:
    text = files(__package__).joinpath("triage.toml").read_text("utf-8")
    return TypeAdapter(dict[str, _Rule]).validate_python(tomllib.loads(text))
