"""Fields that several requests and answers share."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

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


@cache
def _with_defaults(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(name for name, field in model.model_fields.items() if not field.is_required())


class RequestWithDefaults(Request):
    """A request body in which null says the same as leaving a field out, for every field that has a default."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        optional = _with_defaults(cls)
        return {name: value for name, value in given.items() if value is not None or name not in optional}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        for name, field in schema["properties"].items():
            if "default" in field:
                said = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
                schema["properties"][name] = {"anyOf": [dict(field), {"type": "null"}], **said}
        return schema


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
