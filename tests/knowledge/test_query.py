"""What a query asks for: words with those that say the same, and codes however they are spelled."""

import pytest

from nlp_service.knowledge.query import BARE, CODE_WEIGHT, SYNONYM_WEIGHT, alternatives, words_of
from nlp_service.text.segmentation import terms


def _words(query: str) -> list[str]:
    return [same[0][0] for same in alternatives(dict.fromkeys(terms(query)))]


@pytest.mark.parametrize("query", ["E1001", "e1001", "E-1001", "e_1001", "E 1001", "Ｅ－１００１"])
def test_a_code_is_one_word_however_it_is_spelled(query: str) -> None:
    assert _words(query) == ["e1001"]


@pytest.mark.parametrize("query", ["ORA-00060", "ORA-60", "ora_060"])
def test_the_prefix_of_a_code_counts_besides(query: str) -> None:
    assert _words(query) == ["ora", "ora60"]


def test_the_number_after_a_word_still_counts() -> None:
    assert _words("windows 11") == ["windows", "11", "windows11"]


def test_a_number_that_is_no_part_of_a_code_still_counts() -> None:
    assert "404" in _words("E-1001 404")


@pytest.mark.parametrize("code", ["e1001", "0x80070005"])
def test_a_code_counts_more_than_a_word(code: str) -> None:
    assert alternatives([code]) == [[(code, CODE_WEIGHT)]]


@pytest.mark.parametrize("code", ["80070005", "c000007b"])
def test_a_hexadecimal_code_is_found_without_its_prefix(code: str) -> None:
    assert alternatives([code]) == [[(code, CODE_WEIGHT), (f"0x{code}", BARE * CODE_WEIGHT)]]


def test_a_word_of_eight_letters_is_no_hexadecimal_code() -> None:
    assert alternatives(["deadbeef"]) == [[("deadbeef", 1.0)]]


def test_a_synonym_counts_less_than_the_word() -> None:
    (same,) = alternatives(["闪退"])
    assert {weight for _, weight in same[1:]} == {SYNONYM_WEIGHT}


@pytest.mark.parametrize(("query", "words"), [("", 0), ("打印", 1), ("E1001 打印", 3), ("80070005", 2)])
def test_a_query_says_so_many_words(query: str, words: float) -> None:
    assert words_of(alternatives(terms(query))) == words
