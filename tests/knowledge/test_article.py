"""Articles: what is refused, what is masked, and what a change may leave out."""

import pytest
from pydantic import ValidationError

from nlp_service.knowledge.article import ArticleCreate, ArticleUpdate, content_hash, passage
from tests.knowledge.conftest import new_article

LIMITS = {"title": 200, "problem": 2000, "scenario": 2000, "solution": 10_000, "product": 200, "external_id": 200}


def test_what_is_not_given_gets_its_default() -> None:
    article = new_article()
    assert (article.scenario, article.tags, article.product, article.external_id, article.status) == (
        "",
        [],
        None,
        None,
        "draft",
    )


@pytest.mark.parametrize("field", ["title", "problem", "scenario", "solution", "product"])
def test_personal_data_is_masked_in_every_text(field: str) -> None:
    article = new_article(**{field: "请联系13812345678"})
    assert getattr(article, field) == "请联系138****5678"


@pytest.mark.parametrize("key", ["13812345678", "CRM-138 1234 5678", "110101199003074578", "zhang.san@example.com"])
def test_personal_data_in_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="external_id"):
        new_article(external_id=key)


@pytest.mark.parametrize("key", ["KB-1", "1834567890123456789", "4111111111111111", "support@kb-7"])
def test_other_keys_stay_as_they_are(key: str) -> None:
    assert new_article(external_id=key).external_id == key


def test_personal_data_is_masked_in_tags() -> None:
    assert new_article(tags=["zhang@example.com"]).tags == ["z***@example.com"]


def test_personal_data_is_masked_in_changes() -> None:
    assert ArticleUpdate(solution="请联系13812345678").solution == "请联系138****5678"


def test_a_name_that_a_mask_makes_longer_than_its_column_is_refused() -> None:
    short_address = " a@b.cc"
    with pytest.raises(ValidationError, match=r"(?s)product.*once personal data is masked"):
        new_article(product="字" * (LIMITS["product"] - len(short_address)) + short_address)


@pytest.mark.parametrize("field", LIMITS)
def test_white_space_around_a_text_is_removed(field: str) -> None:
    assert getattr(new_article(**{field: "  登录失败\n"}), field) == "登录失败"


@pytest.mark.parametrize("field", ["title", "problem", "solution", "product", "external_id"])
@pytest.mark.parametrize("value", ["", "  ", "👍"])
def test_a_text_without_words_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        new_article(**{field: value})


@pytest.mark.parametrize("field", ["title", "problem", "solution"])
def test_title_problem_and_solution_are_needed(field: str) -> None:
    record = new_article().model_dump(exclude={field})
    with pytest.raises(ValidationError, match=rf"{field}\n *Field required"):
        ArticleCreate.model_validate(record)


@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_scenario_may_be_blank(value: str | None) -> None:
    assert new_article(scenario=value).scenario == ""


@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
def test_a_text_of_the_greatest_length_is_kept(field: str, limit: int) -> None:
    assert len(getattr(new_article(**{field: "长" * limit}), field)) == limit


@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
def test_a_longer_text_is_refused(field: str, limit: int) -> None:
    with pytest.raises(ValidationError, match=f"{field}(.|\n)*at most {limit:,} characters"):
        new_article(**{field: "长" * (limit + 1)})


@pytest.mark.parametrize(
    "tags",
    [["标签"] * 51, ["长" * 101], [""], ["👍"], "标签", [3]],
    ids=["many", "long", "blank", "emoji", "str", "int"],
)
def test_tags_that_break_a_rule_are_refused(tags: object) -> None:
    with pytest.raises(ValidationError, match="tags"):
        new_article(tags=tags)


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(ValidationError, match="status"):
        new_article(status="deleted")


@pytest.mark.parametrize("model", [ArticleCreate, ArticleUpdate])
def test_an_unknown_field_is_refused(model: type[ArticleCreate | ArticleUpdate]) -> None:
    with pytest.raises(ValidationError, match=r"id\n *Extra inputs"):
        model.model_validate({**new_article().model_dump(exclude_unset=True), "id": 3})


@pytest.mark.parametrize("value", ["登录\x00失败", "登录\ud800失败"])
@pytest.mark.parametrize("field", ["title", "scenario"])
def test_a_character_that_cannot_be_stored_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=field):
        new_article(**{field: value})


def test_a_change_holds_only_what_was_given() -> None:
    assert ArticleUpdate(title="新标题").model_dump(exclude_unset=True) == {"title": "新标题"}


def test_a_change_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least one field"):
        ArticleUpdate.model_validate({})


@pytest.mark.parametrize("field", ["title", "problem", "solution", "tags", "status"])
def test_a_needed_field_cannot_be_set_to_null(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        ArticleUpdate.model_validate({field: None})


@pytest.mark.parametrize("field", ["title", "problem", "solution"])
def test_a_needed_field_cannot_be_blanked(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        ArticleUpdate.model_validate({field: " "})


@pytest.mark.parametrize("field", ["product", "external_id"])
def test_an_optional_field_can_be_cleared_with_null(field: str) -> None:
    assert ArticleUpdate.model_validate({field: None}).model_dump(exclude_unset=True) == {field: None}


def test_the_passage_is_the_texts_one_a_line_without_blank_ones() -> None:
    assert passage("题", "问", "") == "题\n问"


def test_equal_texts_have_equal_hashes() -> None:
    assert (content_hash("甲") == content_hash("甲"), content_hash("甲") == content_hash("乙")) == (True, False)
