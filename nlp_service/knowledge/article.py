"""What an article is, and what may be stored of it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from nlp_service.errors import InvalidText
from nlp_service.storage.statuses import ArticleStatus
from nlp_service.text.personal_data import identifies_a_person, mask
from nlp_service.text.validation import check_characters, check_text

TITLE_LIMIT, PROBLEM_LIMIT, SCENARIO_LIMIT, SOLUTION_LIMIT = 200, 2000, 2000, 10_000
TAG_LIMIT, TAGS_LIMIT, NAME_LIMIT = 100, 50, 200
PERSON_LIMIT, REASON_LIMIT = 100, 1000


def _fits(limit: int) -> AfterValidator:
    """For what stands in a column of this width: a mask may have made it longer."""

    def check(text: str) -> str:
        if len(text) > limit:
            raise ValueError(
                f"隐去个人信息后有 {len(text)} 字,最多 {limit} 字 · "
                f"has {len(text)} characters once personal data is masked, at most {limit} are allowed"
            )
        return text

    return AfterValidator(check)


def _text(limit: int) -> AfterValidator:
    def check(text: str) -> str:
        try:
            return mask(check_text(text, limit=limit).strip())
        except InvalidText as error:
            raise ValueError(str(error)) from error

    return AfterValidator(check)


def _identifier(limit: int) -> AfterValidator:
    def check(text: str) -> str:
        try:
            stripped = check_text(text, limit=limit).strip()
        except InvalidText as error:
            raise ValueError(str(error)) from error
        if identifies_a_person(stripped):
            raise ValueError("含有手机、证件号或邮箱 · holds a mobile number, an identity number or an e-mail address")
        return stripped

    return AfterValidator(check)


def _optional_text(limit: int) -> AfterValidator:
    def check(text: str) -> str:
        try:
            stripped = check_characters(text).strip()
            return mask(check_text(stripped, limit=limit)) if stripped else ""
        except InvalidText as error:
            raise ValueError(str(error)) from error

    return AfterValidator(check)


def _none_to_empty(value: Any) -> Any:
    return "" if value is None else value


def _empty_to_none(text: str | None) -> str | None:
    return text or None


Title = Annotated[str, _text(TITLE_LIMIT)]
Problem = Annotated[str, _text(PROBLEM_LIMIT)]
Scenario = Annotated[str, _optional_text(SCENARIO_LIMIT)]
ScenarioOrNull = Annotated[Scenario, BeforeValidator(_none_to_empty)]
"""Null says the same as an empty text."""
Solution = Annotated[str, _text(SOLUTION_LIMIT)]
Name = Annotated[str, _text(NAME_LIMIT), _fits(NAME_LIMIT)]
ExternalId = Annotated[str, _identifier(NAME_LIMIT)]
"""The article's key in the system that it comes from. Two masked keys could be equal, so personal data is refused."""
Person = Annotated[str, _identifier(PERSON_LIMIT)]
"""Who does something. Two masked names could be equal, so personal data is refused."""
Reason = Annotated[str, _text(REASON_LIMIT)]
OptionalReason = Annotated[Annotated[str, _optional_text(REASON_LIMIT)] | None, AfterValidator(_empty_to_none)]
Tags = Annotated[list[Annotated[str, _text(TAG_LIMIT)]], Field(max_length=TAGS_LIMIT)]


class ArticleCreate(BaseModel):
    """A new article. Personal data in it is masked before it is stored."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    problem: Problem
    scenario: ScenarioOrNull = ""
    solution: Solution
    tags: Tags = []
    product: Name | None = None
    external_id: ExternalId | None = None
    status: ArticleStatus = "draft"


class ArticleUpdate(BaseModel):
    """The fields to change; those that are not given stay, whatever default they show."""

    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    problem: Problem = ""
    scenario: Scenario = ""
    solution: Solution = ""
    tags: Tags = []
    product: Name | None = None
    external_id: ExternalId | None = None
    status: ArticleStatus = "draft"

    @model_validator(mode="after")
    def _something_changes(self) -> "ArticleUpdate":
        if not self.model_fields_set:
            raise ValueError("至少给出一个要修改的字段 · give at least one field to change")
        return self


class ArticlePublic(BaseModel):
    """An article as it is answered."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    problem: str
    scenario: str
    solution: str
    tags: list[str]
    product: str | None
    external_id: str | None
    status: ArticleStatus
    created_at: datetime
    updated_at: datetime
    contributor: Annotated[str | None, Field(description="who submitted it last")] = None
    reviewer: Annotated[str | None, Field(description="who approved or rejected it last")] = None
    review_reason: Annotated[str | None, Field(description="the reason of that decision")] = None
    helpful: Annotated[int, Field(ge=0, description="people whom it helped")] = 0
    unhelpful: Annotated[int, Field(ge=0, description="people whom it did not help")] = 0


def passage(title: str, problem: str, scenario: str) -> str:
    """The text of an article that is encoded: what a user would describe.

    The solution is searched by its terms alone; in the vector it blurs the problem (docs/decisions/0008).
    """
    return "\n".join(part for part in (title, problem, scenario) if part)


def searchable(
    title: str,
    problem: str,
    scenario: str,
    solution: str,
    tags: Sequence[str],
    product: str | None,
    module: str | None = None,
) -> str:
    """The text of an article whose terms count: everything that it says."""
    return "\n".join(filter(None, (title, problem, scenario, solution, *tags, product, module)))


def content_hash(text: str) -> str:
    """SHA-256 of an encoded text."""
    return hashlib.sha256(text.encode()).hexdigest()
