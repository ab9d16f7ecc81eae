"""Query and passage as the one window that a cross-encoder reads."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from nlp_service.inference.pairs import PairWindower, pair

LIMIT = 20
LONG = "声音卡顿" * 20


@pytest.fixture
def tokenizer(cross_encoder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(cross_encoder / "tokenizer.json"))


def _ids(folder: Path, query: str, passage: str) -> list[int]:
    (window,) = PairWindower(folder / "tokenizer.json", LIMIT).windows([pair(query, passage)])
    return list(window.ids)


def test_a_short_pair_is_what_its_tokenizer_makes_of_it(cross_encoder: Path, tokenizer: Tokenizer) -> None:
    assert _ids(cross_encoder, "声音", "卡顿") == tokenizer.encode("声音", "卡顿").ids


def test_of_a_long_passage_the_end_is_cut(cross_encoder: Path, tokenizer: Tokenizer) -> None:
    assert _ids(cross_encoder, "密码", LONG) == tokenizer.encode("密码", LONG[: LIMIT - 5]).ids


def test_a_long_query_leaves_half_of_the_room_to_a_long_passage(cross_encoder: Path, tokenizer: Tokenizer) -> None:
    half = (LIMIT - 3) // 2
    assert _ids(cross_encoder, LONG, LONG) == tokenizer.encode(LONG[:half], LONG[: LIMIT - 3 - half]).ids


def test_a_long_query_may_have_what_a_short_passage_leaves(cross_encoder: Path, tokenizer: Tokenizer) -> None:
    assert _ids(cross_encoder, LONG, "密码") == tokenizer.encode(LONG[: LIMIT - 5], "密码").ids


def test_what_looks_like_a_special_token_is_text(cross_encoder: Path) -> None:
    separator, closing = _ids(cross_encoder, "声音", "卡顿")[3], _ids(cross_encoder, "声音[SEP]", "卡顿")
    assert closing.count(separator) == 2


def test_every_pair_has_one_window_in_order(cross_encoder: Path) -> None:
    texts = [pair("声音", "卡顿"), pair("密码", LONG)]
    assert [window.text for window in PairWindower(cross_encoder / "tokenizer.json", LIMIT).windows(texts)] == [0, 1]
