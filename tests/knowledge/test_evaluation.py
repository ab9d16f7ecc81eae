"""Search measured on questions whose articles are known."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.evaluation import DEPTH, Evaluation, Question, evaluate, read_questions


def question(query: str, *wanted: str) -> Question:
    return Question(query=query, external_id=wanted)


def found(hits: Sequence[str | None], *wanted: str) -> Evaluation:
    return evaluate([question("转圈", *wanted)], lambda _: hits)


def figures(hits: Sequence[str | None], *wanted: str) -> dict[str, float]:
    return {name: mean.value for name, mean in found(hits, *wanted).figures.items()}


def test_an_article_that_comes_first_counts_wholly() -> None:
    assert set(figures(["A", "B"], "A").values()) == {1.0}


def test_an_article_at_rank_three() -> None:
    expected = {"recall@1": 0, "recall@5": 1, "recall@10": 1, "MRR": 1 / 3, "nDCG@10": 1 / math.log2(4)}
    assert figures(["B", None, "A"], "A") == pytest.approx(expected)


def test_an_article_that_is_not_found_counts_nothing() -> None:
    assert set(figures(["B"], "A").values()) == {0.0}


def test_an_article_below_the_depth_is_not_found() -> None:
    assert figures([None] * DEPTH + ["A"], "A")["MRR"] == 0.0


def test_of_two_articles_one_found_is_half_the_recall() -> None:
    assert figures(["A", "C"], "A", "B")["recall@5"] == 0.5


def test_two_articles_in_the_first_two_places_are_the_ideal_order() -> None:
    assert figures(["B", "A"], "A", "B")["nDCG@10"] == 1.0


def test_an_article_that_is_named_twice_counts_once() -> None:
    assert figures(["A"], "A", "A")["recall@1"] == 1.0


def test_figures_are_means_over_the_questions() -> None:
    result = evaluate([question("a", "A"), question("b", "B")], lambda _: ["A"])
    assert (result.questions, result.figures["recall@1"].value) == (2, 0.5)


def test_the_interval_holds_the_mean() -> None:
    mean = evaluate([question(str(n), "A" if n % 3 else "B") for n in range(60)], lambda _: ["A"]).figures["MRR"]
    assert mean.low < mean.value < mean.high


def test_a_miss_tells_what_came_first_and_where_the_article_was() -> None:
    (miss,) = found(["B", "C", "D", "E", "F", "A"], "A").misses
    assert (miss.query, miss.wanted, miss.rank, miss.found) == ("转圈", ("A",), 6, "B")


def test_an_article_among_the_first_five_is_no_miss() -> None:
    assert found(["B", "C", "D", "E", "A"], "A").misses == []


def test_without_questions_there_is_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="no questions"):
        evaluate([], lambda _: [])


class TestFile:
    def test_an_external_id_may_be_one_or_a_list(self, tmp_path: Path) -> None:
        file = tmp_path / "questions.jsonl"
        file.write_text(
            '\ufeff{"query": "转圈", "external_id": "A", "kind": "terse"}\n\n'
            '{"query": "卡", "external_id": ["A", "B"]}\n',
            encoding="utf-8",
        )
        assert [one.external_id for one in read_questions(file)] == [("A",), ("A", "B")]

    @pytest.mark.parametrize(
        ("line", "named"),
        [
            ('{"query": "卡"}', "external_id"),
            ('{"query": "", "external_id": "A"}', "query"),
            ('{"query": "卡", "external_id": []}', "external_id"),
            ('{"query": "卡", "external_id": 5}', "external_id"),
            ("转圈", "JSON"),
        ],
    )
    def test_a_line_that_is_no_question_is_named_with_its_field(self, line: str, named: str, tmp_path: Path) -> None:
        file = tmp_path / "questions.jsonl"
        file.write_text('{"query": "卡", "external_id": "A"}\n' + line + "\n", encoding="utf-8")
        with pytest.raises(InvalidRecord, match=f":2: {named}"):
            read_questions(file)

    def test_an_empty_file_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "questions.jsonl"
        file.write_text("\n", encoding="utf-8")
        with pytest.raises(InvalidRecord, match="no questions"):
            read_questions(file)
