"""Sections become articles that are known again at the next import."""

import io

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.article import SOLUTION_LIMIT, ArticleCreate
from nlp_service.knowledge.formats.blocks import Block, Content, Heading, Paragraph
from nlp_service.knowledge.formats.chunks import articles
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad, Entry, Good

TEXT = "请先检查网络连接,再确认账号没有被锁定。"


def _entries(*blocks: Block, name: str = "docs/a.md", title: str = "", **fields: object) -> list[Entry]:
    return list(articles(Source(name, io.BytesIO()), Content(list(blocks), title), fields))


def _articles(*blocks: Block, name: str = "docs/a.md", title: str = "", **fields: object) -> list[ArticleCreate]:
    found = _entries(*blocks, name=name, title=title, **fields)
    assert [entry for entry in found if isinstance(entry, Bad)] == []
    return [entry.article for entry in found if isinstance(entry, Good)]


def _reasons(*blocks: Block) -> list[str]:
    return [entry.reason for entry in _entries(*blocks) if isinstance(entry, Bad)]


H1, H2, P = Heading(1, "手册"), Heading(2, "登录"), Paragraph(TEXT)


def test_a_section_without_fields_is_the_solution_of_its_heading() -> None:
    (article,) = _articles(H1, H2, P)
    assert (article.title, article.problem, article.solution) == ("手册 / 登录", "登录", TEXT)


def test_what_stands_before_a_named_solution_tells_of_the_problem() -> None:
    (article,) = _articles(H2, P, Heading(3, "解决"), Paragraph("重启"))
    assert (article.problem, article.solution) == (TEXT, "重启")


def test_what_stands_before_and_under_the_problem_is_the_problem() -> None:
    (article,) = _articles(H2, P, Heading(3, "问题"), Paragraph("超时"), Heading(3, "解决"), Paragraph("重启"))
    assert article.problem == f"{TEXT}\n超时"


def test_what_follows_the_solution_belongs_to_it() -> None:
    (article,) = _articles(H2, Heading(3, "解决"), Paragraph("重启"), Heading(3, "备注"), Paragraph("仅限本机"))
    assert article.solution == "重启\n备注\n仅限本机"


def test_the_scenario_has_its_own_field() -> None:
    (article,) = _articles(H2, Heading(3, "环境"), Paragraph("出差"), Heading(3, "解决"), Paragraph("重启"))
    assert article.scenario == "出差"


def test_a_scenario_that_was_taken_out_of_the_document_is_taken_out_of_the_article() -> None:
    (article,) = _articles(H2, P)
    assert "scenario" in article.model_fields_set


def test_nothing_is_invented() -> None:
    (article,) = _articles(H2, P)
    assert not {"tags", "product", "status"} & article.model_fields_set


class TestKeys:
    def test_a_key_is_the_path_of_the_file_and_the_headings(self) -> None:
        (article,) = _articles(H1, H2, P)
        assert article.external_id == "docs/a.md#手册/登录"

    def test_text_without_a_heading_has_the_path_of_the_file(self) -> None:
        assert _articles(P)[0].external_id == "docs/a.md"

    def test_an_edited_section_keeps_its_key(self) -> None:
        assert _articles(H2, P)[0].external_id == _articles(H2, Paragraph(TEXT + "重启。"))[0].external_id

    def test_another_section_before_it_changes_no_key(self) -> None:
        before, after = _articles(H2, P), _articles(Heading(2, "导出"), P, H2, P)
        assert before[0].external_id == after[1].external_id

    def test_sections_with_the_same_headings_are_numbered(self) -> None:
        assert [article.external_id for article in _articles(H2, P, H2, P)] == ["docs/a.md#登录", "docs/a.md#登录#2"]

    def test_another_file_has_other_keys(self) -> None:
        assert _articles(H2, P)[0].external_id != _articles(H2, P, name="docs/b.md")[0].external_id

    @pytest.mark.parametrize(
        "heading", ["长" * 250, "联系 13812345678", "发给 zhangsan@example.com"], ids=["long", "mobile", "e-mail"]
    )
    def test_a_key_that_cannot_be_stored_is_a_hash_and_stays_the_same(self, heading: str) -> None:
        blocks = (Heading(2, heading[:200]), P)
        (first,), (second,) = _articles(*blocks, name="长/" * 10 + "a.md"), _articles(*blocks, name="长/" * 10 + "a.md")
        assert (first.external_id or "").startswith("document-")
        assert first.external_id == second.external_id

    def test_the_two_ways_to_write_an_accent_are_one(self) -> None:
        assert _articles(P, name="cafe\u0301.md")[0].external_id == _articles(P, name="caf\u00e9.md")[0].external_id

    def test_a_given_key_is_the_first_articles_as_it_stands(self) -> None:
        found = _articles(H2, P, Heading(2, "导出"), P, external_id="KB-9")
        assert [article.external_id for article in found] == ["KB-9", "KB-9#导出"]


class TestTitles:
    def test_without_a_heading_the_title_is_the_documents(self) -> None:
        assert _articles(P, title="登录手册")[0].title == "登录手册"

    def test_without_that_it_is_the_name_of_the_file(self) -> None:
        assert _articles(P, name="docs/登录 v1.2.md")[0].title == "登录 v1.2"

    def test_of_headings_that_are_too_long_together_the_last_is_kept(self) -> None:
        assert _articles(Heading(1, "长" * 150), Heading(2, "登" * 100), P)[0].title == "登" * 100

    def test_a_heading_that_is_too_long_alone_names_field_and_limit(self) -> None:
        assert _reasons(Heading(1, "长" * 201), P) == ["title: 最多 200 字,实际 201 · at most 200 characters, got 201"]


class TestLength:
    def test_a_long_section_is_split_at_lines(self) -> None:
        lines = [f"{number}. {'长' * 996}" for number in range(25)]
        found = _articles(H2, *map(Paragraph, lines))
        assert [article.title for article in found] == ["登录", "登录 (2)", "登录 (3)"]
        assert "\n".join(article.solution for article in found) == "\n".join(lines)

    def test_a_long_line_is_split_at_sentences(self) -> None:
        first, second = _articles(H2, Paragraph(f"{'长' * 6000}。{'短' * 6000}。"))
        assert (first.solution, second.solution) == ("长" * 6000 + "。", "短" * 6000 + "。")

    def test_an_endless_sentence_is_cut(self) -> None:
        assert [len(article.solution) for article in _articles(H2, Paragraph("长" * 25_000))] == [10_000, 10_000, 5000]

    def test_a_section_of_just_the_limit_stays_whole(self) -> None:
        assert len(_articles(H2, Paragraph("长" * SOLUTION_LIMIT))) == 1

    def test_parts_have_keys_of_their_own(self) -> None:
        found = _articles(H2, Paragraph("长" * 25_000), H2, P)
        keys = [article.external_id for article in found]
        assert keys == ["docs/a.md#登录", "docs/a.md#登录#2", "docs/a.md#登录#3", "docs/a.md#登录#4"]

    def test_a_problem_over_its_limit_names_field_and_limit(self) -> None:
        reasons = _reasons(H2, Heading(3, "问题"), Paragraph("长" * 2001), Heading(3, "解决"), Paragraph("重启"))
        assert reasons == ["problem: 最多 2,000 字,实际 2,001 · at most 2,000 characters, got 2,001"]

    @pytest.mark.parametrize("text", ["待补充", "……………………………", "TBD"])
    def test_a_section_of_little_substance_is_reported(self, text: str) -> None:
        assert ["fewer than 10" in reason for reason in _reasons(H2, Paragraph(text))] == [True]

    def test_a_named_solution_may_be_short(self) -> None:
        assert _articles(H2, Heading(3, "解决"), Paragraph("重启"))[0].solution == "重启"

    def test_a_problem_without_a_solution_is_reported(self) -> None:
        assert ["no solution" in reason for reason in _reasons(H2, Heading(3, "问题"), P)] == [True]


def test_a_place_names_the_section_without_personal_data() -> None:
    (entry,) = _entries(Heading(2, "联系 13812345678"), P)
    assert entry.place.endswith("section “联系 138****5678”")


def test_a_document_without_text_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="no text"):
        _entries(H1, H2)
