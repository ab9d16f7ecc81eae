"""Fields that several requests and answers share."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from nlp_service.errors import InvalidText
from nlp_service.knowledge.article import Person
from nlp_service.text.validation import MAX_CHARACTERS, check_text

MAX_TEXTS = 256
MAX_EXPLAINED = 16
"""So many texts may be explained in a request: each costs up to 48 encodings."""
MAX_EXPLAINED_CHARACTERS = 4000


class Request(BaseModel):
    """Base of request bodies: unknown fields are refused, and types are not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _check(text: str) -> str:
    try:
        return check_text(text)
    except InvalidText as error:
        raise ValueError(str(error)) from error


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARACTERS), AfterValidator(_check)]
"""1 to 2,000 characters with at least one letter or digit."""

Probability = Annotated[float, Field(ge=0, le=1)]


ByName = Annotated[
    Person | None,
    Field(description="name of the person, 1 to 100 characters; with a key the key's name, needed without one"),
]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


ONE_OR_MORE = BeforeValidator(_as_list)
"""Lets a list of strings be given as a single string."""


Explain = Annotated[
    bool,
    Field(description="how much each part of the text spoke for the answer; 16 texts, 4,000 characters at most"),
]


class InfluenceOut(BaseModel):
    """What a part of the text did for the answer; offsets count characters (Unicode code points)."""

    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    weight: Annotated[
        float, Field(ge=-1, le=1, description="probability of the answer with this part minus without it")
    ]


def check_explained(explain: bool, texts: Sequence[str], field: str) -> None:
    """Raise InvalidText naming `field` when more is to be explained than a request may ask for."""
    if not explain:
        return
    for what, count, limit in (
        ("条 · texts", len(texts), MAX_EXPLAINED),
        ("字 · characters in all", sum(map(len, texts)), MAX_EXPLAINED_CHARACTERS),
    ):
        if count > limit:
            raise InvalidText(
                f"explain 时最多 {limit:,} {what}: at most {limit:,} with explain, {count:,} were given", field=field
            )
