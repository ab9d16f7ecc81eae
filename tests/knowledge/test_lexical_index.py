"""Lexical index: BM25 as a peer library computes it, whatever was added, replaced and removed before."""

import json
from random import Random

import bm25s
import numpy as np
import pytest

from nlp_service.knowledge.lexical_index import COMPACT_FROM, K1, B, LexicalIndex
from nlp_service.text.segmentation import terms
from tests.conftest import PROJECT

Documents = dict[int, list[str]]


@pytest.fixture(scope="module")
def texts() -> list[list[str]]:
    """Terms of 400 of the project's own articles and tickets."""
    articles = [f"{record['title']}\n{record['problem']}" for record in _records("knowledge", 120)]
    return [terms(text) for text in [*articles, *(record["text"] for record in _records("tickets", 280))]]


def _records(folder: str, count: int) -> list[dict[str, str]]:
    files = sorted((PROJECT / "data" / folder).glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    return [json.loads(line) for line in Random(folder).sample(lines, count)]


def _changed(texts: list[list[str]], changes: int) -> tuple[LexicalIndex, Documents]:
    """An index after random additions, replacements and removals, and the documents that should be in it."""
    random, index, documents = Random(changes), LexicalIndex(), Documents()
    for _ in range(changes):
        key = random.randrange(300)
        if key in documents and random.random() < 0.4:
            index.remove([key])
            del documents[key]
        else:
            documents[key] = random.choice(texts)
            index.put(key, documents[key])
    return index, documents


def _peer_scores(documents: Documents, query: set[str]) -> dict[int, float]:
    peer = bm25s.BM25(method="lucene", k1=K1, b=B)
    peer.index(list(documents.values()), show_progress=False)
    known = [term for term in query if term in peer.vocab_dict]
    return dict(zip(documents, peer.get_scores(known).tolist(), strict=True)) if known else dict.fromkeys(documents, 0)


@pytest.mark.parametrize("changes", [100, 500, COMPACT_FROM * 3])
def test_scores_equal_those_of_bm25s(texts: list[list[str]], changes: int) -> None:
    index, documents = _changed(texts, changes)
    for query in Random(1).sample(texts, 25):
        ours = dict(index.search(query, len(index)))
        expected = _peer_scores(documents, set(query))
        np.testing.assert_allclose([ours.get(key, 0.0) for key in documents], list(expected.values()), atol=1e-4)


@pytest.fixture
def index() -> LexicalIndex:
    filled = LexicalIndex()
    filled.put(1, ["登录", "失败", "密码"])
    filled.put(2, ["登录", "登录", "超时"])
    filled.put(3, ["发票", "开具"])
    return filled


def _found(index: LexicalIndex, *query: str) -> set[int]:
    return {key for key, _ in index.search(query, 100)}


def test_only_documents_with_a_term_are_found(index: LexicalIndex) -> None:
    assert _found(index, "登录", "打印") == {1, 2}


def test_the_best_come_first(index: LexicalIndex) -> None:
    assert [key for key, _ in index.search(["登录", "密码"], 10)] == [1, 2]


def test_no_more_than_k_are_found(index: LexicalIndex) -> None:
    assert [key for key, _ in index.search(["登录", "密码"], 1)] == [1]


def test_a_repeated_query_term_counts_once(index: LexicalIndex) -> None:
    assert index.search(["登录", "登录"], 10) == index.search(["登录"], 10)


def test_equal_scores_come_in_order_of_id() -> None:
    index = LexicalIndex()
    for key in (5, 3, 9):
        index.put(key, ["登录"])
    assert [key for key, _ in index.search(["登录"], 10)] == [3, 5, 9]


def test_a_term_in_every_document_still_scores_above_zero(index: LexicalIndex) -> None:
    index.remove([3])
    assert min(score for _, score in index.search(["登录"], 10)) > 0


def test_a_removed_document_is_not_found(index: LexicalIndex) -> None:
    index.remove([1])
    assert (_found(index, "登录"), len(index)) == ({2}, 2)


def test_removing_unknown_ids_is_harmless(index: LexicalIndex) -> None:
    index.remove([77, 78])
    assert len(index) == 3


def test_a_replaced_document_loses_its_old_terms(index: LexicalIndex) -> None:
    index.put(1, ["发票"])
    assert (_found(index, "密码"), _found(index, "发票"), len(index)) == (set(), {1, 3}, 3)


def test_a_removed_document_may_come_back(index: LexicalIndex) -> None:
    before = index.search(["登录", "失败"], 10)
    index.remove([1])
    index.put(1, ["登录", "失败", "密码"])
    assert index.search(["登录", "失败"], 10) == before


def test_only_allowed_ids_are_found(index: LexicalIndex) -> None:
    assert [key for key, _ in index.search(["登录"], 10, allowed=[1, 3, 99])] == [1]


def test_the_filter_comes_before_the_best_k(index: LexicalIndex) -> None:
    worst = index.search(["登录"], 10)[-1]
    assert index.search(["登录"], 1, allowed=[worst[0]]) == [worst]


def test_nothing_allowed_finds_nothing(index: LexicalIndex) -> None:
    assert index.search(["登录"], 10, allowed=[]) == []


def test_a_document_without_terms_is_counted_but_never_found(index: LexicalIndex) -> None:
    index.put(4, [])
    assert (len(index), 4 in _found(index, "登录", "发票")) == (4, False)


def test_a_query_without_terms_finds_nothing(index: LexicalIndex) -> None:
    assert index.search([], 10) == []


def test_an_empty_index_finds_nothing() -> None:
    assert LexicalIndex().search(["登录"], 10) == []


def test_an_index_that_was_emptied_finds_nothing(index: LexicalIndex) -> None:
    index.remove([1, 2, 3])
    assert (len(index), index.search(["登录"], 10)) == (0, [])


def test_compaction_gives_back_the_slots_of_removed_documents() -> None:
    index = LexicalIndex()
    for _ in range(COMPACT_FROM * 3):
        index.put(1, ["登录"])
    assert len(index._ids) <= COMPACT_FROM + 1


def test_compaction_changes_no_answer() -> None:
    kept, compacted = LexicalIndex(), LexicalIndex()
    for key in range(COMPACT_FROM * 2):
        compacted.put(key, ["登录", f"词{key % 50}", *["重试"] * (key % 7)])
    compacted.remove(range(100, COMPACT_FROM * 2))
    for key in range(100):
        kept.put(key, ["登录", f"词{key % 50}", *["重试"] * (key % 7)])
    query = ["登录", "词7", "重试"]
    assert dict(compacted.search(query, 100)) == pytest.approx(dict(kept.search(query, 100)))
