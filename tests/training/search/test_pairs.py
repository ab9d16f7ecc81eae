import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nlp_service.knowledge.article import ArticleCreate
from training.base.spec import Prefixes
from training.data.sources import DataError
from training.search.pairs import (
    Query,
    Triplet,
    Wordings,
    article_triplets,
    intent_triplets,
    passage_of,
    read_search_data,
    split_of,
    wording_triplets,
)

PREFIX = Prefixes(query="query: ", passage="passage: ")
GROUP = Wordings(id="w-1", field="erp", same=("导不出来", "无法导出", "导出失败"), different=("怎么导入",))
ARTICLES = {
    name: ArticleCreate(
        title=f"{name} 标题", problem=f"{name} 现象", scenario=scenario, solution="重启", external_id=name
    )
    for name, scenario in (("A", "A 场景"), ("B", ""))
}
QUERY = Query(id="q-1", query="转圈", external_id="A", kind="terse", language="zh")


def write(file: Path, *records: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")


def folders(base: Path, query: dict[str, Any]) -> tuple[Path, Path]:
    """A folder with one group and one query, and a folder with both articles."""
    write(base / "search" / "wordings.jsonl", GROUP.model_dump())
    write(base / "search" / "queries.jsonl", query)
    write(base / "knowledge" / "a.jsonl", *(article.model_dump() for article in ARTICLES.values()))
    return base / "search", base / "knowledge"


def test_what_the_project_holds_is_read_with_its_articles_by_their_external_ids(tmp_path: Path) -> None:
    data = read_search_data(*folders(tmp_path, QUERY.model_dump()))
    assert (data.wordings, data.queries, data.articles) == ([GROUP], [QUERY], ARTICLES)


def test_a_query_without_its_article_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"queries\.jsonl: q-1: external_id: no article 'C'"):
        read_search_data(*folders(tmp_path, QUERY.model_dump() | {"external_id": "C"}))


def test_a_broken_line_is_named_with_its_field(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"queries\.jsonl:1: kind: "):
        read_search_data(*folders(tmp_path, QUERY.model_dump() | {"kind": "long"}))


def test_a_group_of_one_wording_is_no_group(tmp_path: Path) -> None:
    search, knowledge = folders(tmp_path, QUERY.model_dump())
    write(search / "wordings.jsonl", GROUP.model_dump() | {"same": ["导不出来"]})
    with pytest.raises(DataError, match=r"wordings\.jsonl:1: same: "):
        read_search_data(search, knowledge)


def test_a_sixth_of_the_groups_is_tested_on_and_as_many_are_validated_on() -> None:
    counts = Counter(split_of(f"w-{number}") for number in range(3000))
    assert counts["test"] / 3000 == pytest.approx(1 / 6, abs=0.02)
    assert counts["validation"] / 3000 == pytest.approx(1 / 6, abs=0.02)


def test_the_text_of_an_article_is_what_a_user_would_describe() -> None:
    assert (passage_of(ARTICLES["A"]), passage_of(ARTICLES["B"])) == ("A 标题\nA 现象\nA 场景", "B 标题\nB 现象")


def test_every_two_wordings_of_a_group_belong_together() -> None:
    found = {(one.anchor, one.positive) for one in wording_triplets([GROUP], PREFIX)}
    assert found == {
        ("query: 导不出来", "query: 无法导出"),
        ("query: 导不出来", "query: 导出失败"),
        ("query: 无法导出", "query: 导出失败"),
    }


def test_what_only_looks_alike_is_a_negative_of_every_pair_of_the_group() -> None:
    assert {(one.negatives, one.group) for one in wording_triplets([GROUP], PREFIX)} == {(("query: 怎么导入",), "w-1")}


def test_a_query_belongs_to_its_article_and_not_to_those_mistaken_for_it() -> None:
    first = next(article_triplets([QUERY], ARTICLES, {"q-1": ["B"]}, PREFIX))
    assert first == Triplet("query: 转圈", "passage: A 标题\nA 现象\nA 场景", ("passage: B 标题\nB 现象",), "A")


def test_the_problem_of_an_article_belongs_to_it_once_however_many_queries_it_answers() -> None:
    queries = [QUERY, QUERY.model_copy(update={"id": "q-2", "query": "卡住"})]
    triplets = list(article_triplets(queries, ARTICLES, {}, PREFIX))
    assert triplets[2:] == [Triplet("query: A 现象", "passage: A 标题\nA 现象\nA 场景", (), "A")]


def test_an_article_that_no_query_asks_for_is_not_learned_from() -> None:
    assert {one.group for one in article_triplets([QUERY], ARTICLES, {}, PREFIX)} == {"A"}


@pytest.fixture
def intents(tmp_path: Path) -> Path:
    """Two intents of two questions, and one of a single question."""
    rows = [
        "where is my card,card",
        "my card is lost,card",
        "top up fails,top up",
        "cannot top up,top up",
        "hello,greet",
    ]
    file = tmp_path / "intents.csv"
    file.write_text("\n".join(["text,label", *rows, ""]), "utf-8")
    return file


def test_two_different_questions_of_an_intent_belong_together(intents: Path) -> None:
    found = {(one.group, frozenset((one.anchor, one.positive))) for one in intent_triplets(intents, PREFIX, 40, seed=1)}
    assert found == {
        ("intent card", frozenset(("query: where is my card", "query: my card is lost"))),
        ("intent top up", frozenset(("query: top up fails", "query: cannot top up"))),
    }


def test_a_table_of_intents_without_its_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "intents.csv"
    file.write_text("question,intent\nwhere is my card,card\n", encoding="utf-8")
    with pytest.raises(DataError, match="label, text"):
        list(intent_triplets(file, PREFIX, 1, seed=1))


def test_as_many_pairs_of_intents_are_drawn_as_asked_for(intents: Path) -> None:
    assert len(list(intent_triplets(intents, PREFIX, 7, seed=1))) == 7


def test_the_same_seed_draws_the_same_pairs_of_intents(intents: Path) -> None:
    assert list(intent_triplets(intents, PREFIX, 9, seed=1)) == list(intent_triplets(intents, PREFIX, 9, seed=1))
