"""Lexical index: BM25 as a peer library computes it, whatever was added, replaced and removed before."""

import json
from collections import defaultdict
from math import log
from pathlib import Path
from random import Random

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.errors import IndexDamaged
from nlp_service.knowledge import lexical_index
from nlp_service.knowledge.keys import Mask
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


def _allowed(*keys: int) -> Mask:
    mask = np.zeros(max(keys, default=-1) + 1, bool)
    mask[list(keys)] = True
    return mask


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


def test_equal_scores_come_in_order_of_key() -> None:
    index = LexicalIndex()
    for key in (5, 3, 9):
        index.put(key, ["登录"])
    assert [key for key, _ in index.search(["登录"], 10)] == [3, 5, 9]


def test_of_equal_scores_the_smallest_keys_are_chosen() -> None:
    index = LexicalIndex()
    for key in (5, 3, 9, 7):
        index.put(key, ["登录"])
    index.put(8, ["登录", "登录"])
    assert [key for key, _ in index.search(["登录"], 3)] == [8, 3, 5]


def test_a_term_in_every_document_still_scores_above_zero(index: LexicalIndex) -> None:
    index.remove([3])
    assert min(score for _, score in index.search(["登录"], 10)) > 0


def test_a_removed_document_is_not_found(index: LexicalIndex) -> None:
    index.remove([1])
    assert (_found(index, "登录"), len(index)) == ({2}, 2)


def test_removing_unknown_keys_is_harmless(index: LexicalIndex) -> None:
    index.remove([77, -1])
    assert len(index) == 3


def test_a_replaced_document_loses_its_old_terms(index: LexicalIndex) -> None:
    index.put(1, ["发票"])
    assert (_found(index, "密码"), _found(index, "发票"), len(index)) == (set(), {1, 3}, 3)


def test_a_removed_document_may_come_back(index: LexicalIndex) -> None:
    before = index.search(["登录", "失败"], 10)
    index.remove([1])
    index.put(1, ["登录", "失败", "密码"])
    assert index.search(["登录", "失败"], 10) == before


def test_only_allowed_keys_are_found(index: LexicalIndex) -> None:
    assert [key for key, _ in index.search(["登录"], 10, allowed=_allowed(1, 3, 99))] == [1]


def test_the_filter_comes_before_the_best_k(index: LexicalIndex) -> None:
    worst = index.search(["登录"], 10)[-1]
    assert index.search(["登录"], 1, allowed=_allowed(worst[0])) == [worst]


@pytest.mark.parametrize("share", [0.01, 0.4, 0.9])
def test_among_many_documents_the_best_allowed_ones_are_found(share: float) -> None:
    random, index = Random(7), LexicalIndex()
    for key in range(600):
        index.put(key, random.choices(["登录", "失败", "密码", "导出"], k=random.randrange(1, 4)))
    scores = index.scores([[("登录", 1.0)], [("失败", 1.0)]])
    everything = scores.best(600)
    allowed = np.array([random.random() < share for _ in range(600)])
    assert scores.best(20, allowed) == [(key, score) for key, score in everything if allowed[key]][:20]


def test_terms_with_the_same_beginning_are_told_apart(tmp_path: Path) -> None:
    alike = ["付", "付款", "付款失", "付款失败", "付款失败了", "a", "a\0", "abcdefgh", "abcdefghi", "abcdefgh\0", ""]
    index = LexicalIndex()
    for key, term in enumerate(alike):
        index.put(key, [term])
    index.save(tmp_path)
    opened = LexicalIndex.open(tmp_path)
    assert [[key for key, _ in opened.search([term], 20)] for term in alike] == [[key] for key in range(len(alike))]
    assert opened.search(["付款失败啊"], 20) == []


def test_keys_from_the_length_of_the_mask_on_are_not_found(index: LexicalIndex) -> None:
    assert [key for key, _ in index.search(["登录"], 10, allowed=np.ones(2, bool))] == [1]


def test_nothing_allowed_finds_nothing(index: LexicalIndex) -> None:
    assert index.search(["登录"], 10, allowed=_allowed()) == []


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
    assert len(index._keys) <= COMPACT_FROM + 1


def test_compaction_changes_no_answer() -> None:
    kept, compacted = LexicalIndex(), LexicalIndex()
    for key in range(COMPACT_FROM * 2):
        compacted.put(key, ["登录", f"词{key % 50}", *["重试"] * (key % 7)])
    compacted.remove(range(100, COMPACT_FROM * 2))
    for key in range(100):
        kept.put(key, ["登录", f"词{key % 50}", *["重试"] * (key % 7)])
    query = ["登录", "词7", "重试"]
    assert dict(compacted.search(query, 100)) == pytest.approx(dict(kept.search(query, 100)))


def _words(*terms: str) -> list[list[tuple[str, float]]]:
    return [[(term, 1.0)] for term in terms]


def test_the_best_possible_score_is_the_sum_of_the_idf_of_the_words(index: LexicalIndex) -> None:
    login, invoice = log(1 + (3 - 2 + 0.5) / (2 + 0.5)), log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    assert index.scores(_words("登录", "发票")).best_possible == pytest.approx(login + invoice)


def test_an_unknown_word_counts_in_the_best_possible_score_as_the_rarest(index: LexicalIndex) -> None:
    assert index.scores(_words("冰箱")).best_possible == pytest.approx(log(1 + (3 + 0.5) / 0.5))


def test_the_best_possible_score_follows_removals(index: LexicalIndex) -> None:
    index.search(["登录"], 10)
    index.remove([1])
    assert index.scores(_words("登录")).best_possible == pytest.approx(log(1 + (2 - 1 + 0.5) / (1 + 0.5)))


def test_no_score_reaches_the_best_possible_one(texts: list[list[str]]) -> None:
    index, documents = _changed(texts, 500)
    for query in list(documents.values())[:25]:
        scores = index.scores(_words(*dict.fromkeys(query)))
        assert 0 < scores.best(1)[0][1] < scores.best_possible


def test_of_alternatives_the_best_counts(index: LexicalIndex) -> None:
    (only,) = index.search(["发票"], 1)
    (either,) = index.scores([[("冰箱", 1.0), ("发票", 0.5), ("发票", 0.25)]]).best(1)
    assert either[0] == only[0]
    assert either[1] == pytest.approx(only[1] / 2)


def test_alternatives_of_one_word_do_not_add_up(index: LexicalIndex) -> None:
    alone = dict(index.search(["登录"], 10))
    both = dict(index.scores([[("登录", 1.0), ("发票", 1.0)]]).best(10))
    other = dict(index.search(["发票"], 10))
    assert both == {key: pytest.approx(max(alone.get(key, 0), other.get(key, 0))) for key in {*alone, *other}}


def test_scores_can_be_asked_for_by_key(index: LexicalIndex) -> None:
    scores = index.scores(_words("登录"))
    found = dict(scores.best(10))
    shares = [found.get(key, 0.0) / scores.best_possible for key in (1, 2, 3)]
    assert scores.shares_of([1, 2, 3]) == pytest.approx(shares)


@pytest.fixture
def saved(index: LexicalIndex, tmp_path: Path) -> Path:
    """The folder of the small index above."""
    index.save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("changes", [0, 100, COMPACT_FROM * 3])
def test_an_opened_index_answers_exactly_as_the_saved_one(texts: list[list[str]], changes: int, tmp_path: Path) -> None:
    index, _ = _changed(texts, changes)
    queries = Random(3).sample(texts, 25)
    before = [index.search(query, 50) for query in queries]
    index.save(tmp_path)
    assert [LexicalIndex.open(tmp_path).search(query, 50) for query in queries] == before


def test_saving_changes_no_answer(texts: list[list[str]], tmp_path: Path) -> None:
    index, _ = _changed(texts, 500)
    before = index.search(texts[0], 50)
    index.save(tmp_path)
    assert index.search(texts[0], 50) == before


def test_an_opened_index_takes_changes_as_one_that_was_built_from_texts(texts: list[list[str]], tmp_path: Path) -> None:
    built, documents = _changed(texts, 300)
    built.save(tmp_path)
    opened = LexicalIndex.open(tmp_path)
    for index in (built, opened):
        index.remove(list(documents)[::3])
        for key in range(250, 350):
            index.put(key, texts[key])
    assert opened.search(texts[7], 50) == built.search(texts[7], 50)


def test_an_opened_index_can_be_saved_again(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    opened, folder = LexicalIndex.open(saved), tmp_path_factory.mktemp("again")
    opened.put(4, ["登录", "退款"])
    opened.save(folder)
    assert _found(LexicalIndex.open(folder), "退款", "密码") == {1, 4}


def test_terms_of_removed_documents_are_not_saved(index: LexicalIndex, tmp_path: Path) -> None:
    index.remove([3])
    index.save(tmp_path)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert ("密码".encode() in written, "发票".encode() in written) == (True, False)


def test_an_opened_index_outlives_its_files(saved: Path) -> None:
    opened = LexicalIndex.open(saved)
    for path in saved.iterdir():
        path.unlink()
    assert _found(opened, "登录") == {1, 2}


@pytest.mark.parametrize("damage", ["missing", "cut off", "empty", "from another index"])
@pytest.mark.parametrize("name", ["keys", "lengths", "text", "text_ends", "ends", "slots", "frequencies"])
def test_files_that_do_not_fit_together_are_refused(
    saved: Path, name: str, damage: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = saved / f"{name}.npy"
    content = path.read_bytes()
    path.unlink()
    if damage == "cut off":
        path.write_bytes(content[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "from another index":
        other = LexicalIndex()
        for key in range(10):
            other.put(key, ["退款", str(key)])
        other.save(folder := tmp_path_factory.mktemp("other"))
        path.write_bytes((folder / path.name).read_bytes())
    with pytest.raises(IndexDamaged):
        LexicalIndex.open(saved)


def test_pickled_arrays_are_never_loaded(saved: Path) -> None:
    np.save(saved / "keys.npy", np.array([1, 2, 3], object), allow_pickle=True)
    with pytest.raises(IndexDamaged):
        LexicalIndex.open(saved)


def _oracle(documents: Documents, query: list[str]) -> dict[int, float]:
    """BM25 written out document by document."""
    average = sum(map(len, documents.values())) / max(len(documents), 1)
    scores: defaultdict[int, float] = defaultdict(float)
    for term in set(query):
        holders = [key for key, terms in documents.items() if term in terms]
        idf = log(1 + (len(documents) - len(holders) + 0.5) / (len(holders) + 0.5))
        for key in holders:
            frequency = documents[key].count(term)
            norm = K1 * (1 - B + B * len(documents[key]) / average)
            scores[key] += idf * frequency / (frequency + norm)
    return dict(scores)


_keys = st.integers(0, 12)
_terms = st.lists(st.sampled_from(["登录", "失败", "超时", "error", "0x80"]), max_size=8)
_steps = st.one_of(
    st.tuples(st.just("put"), _keys, _terms), st.tuples(st.just("remove"), _keys), st.tuples(st.just("save and open"))
)


@settings(deadline=None)
@given(steps=st.lists(_steps, max_size=30), query=_terms)
def test_any_sequence_of_changes_gives_the_scores_of_the_formula(
    steps: list[tuple[str] | tuple[str, int] | tuple[str, int, list[str]]],
    query: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    index, documents = LexicalIndex(), Documents()
    for step in steps:
        if len(step) == 3:
            documents[step[1]] = step[2]
            index.put(step[1], step[2])
        elif len(step) == 2:
            documents.pop(step[1], None)
            index.remove([step[1]])
        else:
            index.save(folder := tmp_path_factory.mktemp("snapshot"))
            index = LexicalIndex.open(folder)
    assert dict(index.search(query, 100)) == pytest.approx(_oracle(documents, query), rel=1e-5)


def test_terms_beyond_what_is_remembered_score_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = [["登录", f"词{key}"] for key in range(50)]
    indexes = LexicalIndex(), LexicalIndex()
    for index in indexes:
        for key, words in enumerate(queries):
            index.put(key, words)
    expected = [indexes[0].search(query, 2) for query in queries]
    assert [found[0][0] for found in expected] == list(range(50))
    monkeypatch.setattr(lexical_index, "REMEMBERED", 100)
    assert [indexes[1].search(query, 2) for query in queries] == expected
    assert len(indexes[1]._terms) <= 3


def test_terms_that_very_many_documents_hold_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical_index, "LONG", 2)
    index = LexicalIndex()
    for key in range(3):
        index.put(key, ["登录", f"词{key}"])
    assert [key for key, _ in index.search(["登录", "词2"], 3)] == [2, 0, 1]
    assert set(index._terms) == {"词2"}


def test_whatever_changes_the_documents_changes_what_is_found_next() -> None:
    index, changes = (
        LexicalIndex(),
        [(1, ["登录"]), (2, ["登录", "登录"]), (3, ["发票"]), (2, ["发票", "登录"]), (1, [])],
    )
    documents: dict[int, list[str]] = {}
    for key, words in changes:
        copied, before = index.copy(), index.search(["登录", "发票"], 5)
        if words:
            index.put(key, words)
            documents[key] = words
        else:
            index.remove([key])
            del documents[key]
        anew = LexicalIndex()
        for other, held in documents.items():
            anew.put(other, held)
        assert index.search(["登录", "发票"], 5) == anew.search(["登录", "发票"], 5)
        assert copied.search(["登录", "发票"], 5) == before
        copied.put(9, ["登录"])
        assert index.search(["登录", "发票"], 5) == anew.search(["登录", "发票"], 5)
