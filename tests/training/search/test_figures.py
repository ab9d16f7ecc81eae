import json
from collections.abc import Sequence
from pathlib import Path

import bm25s
import numpy as np
import pytest

from nlp_service.knowledge.article import ArticleCreate
from nlp_service.text.segmentation import terms
from training.data.sources import DataError
from training.search.figures import (
    BM25_B,
    BM25_K1,
    PairSet,
    RetrievalSet,
    Vectors,
    bm25_scores,
    dense_scores,
    own_pairs,
    own_queries,
    pair_figure,
    ranks,
    read_faq,
    read_pairs,
    retrieval_figures,
    roc_auc,
)
from training.search.pairs import Query, SearchData, Wordings, read_search_data, split_of

DATA = Path(__file__).parents[3] / "data"


def characters(texts: Sequence[str]) -> Vectors:
    """Encodes a text by which of eight letters it holds."""
    return np.array([[letter in text for letter in "abcdefgh"] for text in texts], np.float32)


def written(file: Path, content: str) -> Path:
    file.write_text(content, "utf-8")
    return file


def test_pairs_are_read_with_quotation_marks_as_they_are(tmp_path: Path) -> None:
    pairs = read_pairs("lcqmc", written(tmp_path / "pairs.tsv", '"登录"失败\t登不上\t1\n登录\t登出\t0\n'))
    assert (pairs.name, pairs.left, pairs.right) == ("lcqmc", ['"登录"失败', "登录"], ["登不上", "登出"])
    assert pairs.same.tolist() == [True, False]


@pytest.mark.parametrize("row", ["登录\t登出", "登录\t登出\t2", "登录\t登出\t1\t1"], ids=["two", "label", "four"])
def test_a_row_of_another_form_is_named(row: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs\.tsv:2: needs text, text and 0 or 1"):
        read_pairs("lcqmc", written(tmp_path / "pairs.tsv", f"登录\t登出\t0\n{row}\n"))


def test_a_question_bank_is_read_with_the_answer_of_each_query(tmp_path: Path) -> None:
    documents = [
        {"pid": "p7", "faqs": [{"question": "怎么开票", "answers": ["点开票", "填抬头"]}]},
        {
            "pid": "p9",
            "faqs": [{"question": "怎么退款", "answers": ["点退款"]}, {"question": "多久到账", "answers": []}],
        },
    ]
    articles = written(tmp_path / "bank.jsonl", "".join(json.dumps(one) + "\n" for one in documents))
    queries = written(tmp_path / "queries.jsonl", json.dumps({"query": "退钱", "gold_pid": "p9"}) + "\n\n")
    found = read_faq(articles, queries)
    assert (found.name, found.queries, found.answer.tolist()) == ("bank", ["退钱"], [1])
    assert found.passages == ["怎么开票 点开票 填抬头", "怎么退款 点退款\n多久到账 "]


TESTED = next(name for name in (f"w-{number}" for number in range(100)) if split_of(name) == "test")
TRAINED = next(name for name in (f"w-{number}" for number in range(100)) if split_of(name) == "train")


def test_the_wordings_of_a_group_are_paired_with_each_other_and_with_what_looks_alike() -> None:
    groups = [
        Wordings(id=TESTED, field="erp", same=("a", "b"), different=("c",)),
        Wordings(id=TRAINED, field="erp", same=("d", "e")),
    ]
    pairs = own_pairs(groups, "test")
    found = set(zip(pairs.left, pairs.right, pairs.same.tolist(), strict=True))
    assert found == {("a", "b", True), ("a", "c", False), ("b", "c", False)}


def test_the_held_out_queries_are_asked_of_all_articles() -> None:
    articles = {
        key: ArticleCreate(title=key, problem="现象", solution="重启", external_id=key) for key in (TRAINED, TESTED)
    }
    queries = [Query(id=f"q-{key}", query=key, external_id=key, kind="terse", language="zh") for key in articles]
    found = own_queries(SearchData([], queries, articles), "test")
    assert (found.queries, found.answer.tolist()) == ([TESTED], [1])
    assert found.passages == [f"{TRAINED}\n现象", f"{TESTED}\n现象"]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], 1.0),
        ([0.1, 0.2, 0.8, 0.9], 0.0),
        ([0.5, 0.5, 0.5, 0.5], 0.5),
        ([0.9, 0.3, 0.4, 0.1], 0.75),
    ],
    ids=["apart", "reversed", "alike", "one of four wrong"],
)
def test_the_roc_auc_of(scores: list[float], expected: float) -> None:
    assert roc_auc(np.array(scores), np.array([True, True, False, False])) == pytest.approx(expected)


def test_pairs_that_lie_nearer_than_all_others_have_an_auc_of_one() -> None:
    same = [("ab", "abc"), ("cd", "cde")] * 10
    different = [("ab", "cd"), ("ef", "ab")] * 10
    rows = [*same, *different]
    pairs = PairSet("own", [row[0] for row in rows], [row[1] for row in rows], np.array([True] * 20 + [False] * 20))
    figure = pair_figure(pairs, characters)
    assert (figure.value, figure.low, figure.high) == (1.0, 1.0, 1.0)


def test_the_interval_of_an_auc_holds_its_value() -> None:
    generator = np.random.default_rng(1)
    left, right = (["".join(generator.choice(list("abcdefgh"), 3)) for _ in range(60)] for _ in range(2))
    figure = pair_figure(PairSet("random", left, right, generator.random(60) < 0.5), characters)
    assert 0 < figure.low < figure.value < figure.high < 1


def test_a_rank_counts_the_passages_that_score_at_least_as_much() -> None:
    scores = np.array([[0.9, 0.1, 0.5], [0.9, 0.1, 0.5], [0.2, 0.7, 0.7]])
    assert ranks(scores, np.array([0, 1, 2])).tolist() == [1, 3, 2]


def test_recall_and_reciprocal_rank_of_known_ranks() -> None:
    figures = retrieval_figures(np.array([1, 2, 5, 10, 20]))
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(
        {"recall@1": 0.2, "recall@5": 0.6, "recall@10": 0.8, "MRR": (1 + 1 / 2 + 1 / 5 + 1 / 10 + 1 / 20) / 5}
    )


def test_the_intervals_of_retrieval_hold_their_values() -> None:
    figures = retrieval_figures(np.arange(1, 31))
    assert all(figure.low < figure.value < figure.high for figure in figures.values())


def test_dense_scores_are_cosines() -> None:
    retrieval = RetrievalSet("own", ["ab", "c"], ["ab", "a", "cd"], np.array([0, 2]))
    expected = [[1, 0.5**0.5, 0], [0, 0, 0.5**0.5]]
    np.testing.assert_allclose(dense_scores(retrieval, characters, characters), expected, atol=1e-6)


def test_queries_and_passages_are_encoded_each_in_their_way() -> None:
    retrieval = RetrievalSet("own", ["x"], ["x"], np.array([0]))
    scores = dense_scores(retrieval, lambda _: characters(["a"]), lambda _: characters(["b"]))
    assert scores.tolist() == [[0.0]]


def test_bm25_scores_equal_those_of_bm25s() -> None:
    retrieval = own_queries(read_search_data(DATA / "search", DATA / "knowledge"), "test")
    peer = bm25s.BM25(method="lucene", k1=BM25_K1, b=BM25_B)
    peer.index([terms(text) for text in retrieval.passages], show_progress=False)
    ours = bm25_scores(retrieval)
    compared = [row for row, query in enumerate(retrieval.queries) if set(terms(query)) & peer.vocab_dict.keys()][:20]
    for row in compared:
        known = [term for term in terms(retrieval.queries[row]) if term in peer.vocab_dict]
        np.testing.assert_allclose(ours[row] / (BM25_K1 + 1), peer.get_scores(known), atol=1e-4)
    assert len(compared) == 20


def test_a_query_without_a_known_term_scores_zero() -> None:
    retrieval = RetrievalSet("own", ["打印机", "!!"], ["登录失败", "无法导出"], np.array([0, 1]))
    assert not bm25_scores(retrieval).any()
