from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from training.data.duplicates import grams, groups, jaccard, near_duplicate_pairs
from training.data.sources import Ticket, read_records

TICKETS = Path(__file__).parents[3] / "data" / "tickets"


def brute_force(texts: list[str], threshold: float) -> list[tuple[int, int]]:
    sets = [grams(text) for text in texts]
    return [(i, j) for i, j in combinations(range(len(texts)), 2) if jaccard(sets[i], sets[j]) > threshold]


@pytest.fixture(scope="module")
def edited_tickets() -> list[str]:
    """A random sample of tickets, each followed by a copy in which none to a fifth of its characters differ."""
    random = Random(7)
    sample = random.sample([ticket.text for ticket in read_records(TICKETS, Ticket)], 120)
    texts: list[str] = []
    for text in sample:
        characters = list(text)
        for _ in range(random.randrange(0, len(text) // 5 + 1)):
            characters[random.randrange(len(characters))] = "▲"
        texts += [text, "".join(characters)]
    return texts


def test_a_gram_is_five_characters_without_white_space_in_lower_case() -> None:
    assert grams("AB c\nDe f") == {"abcde", "bcdef"}


def test_a_text_shorter_than_a_gram_is_its_own_gram() -> None:
    assert grams("又卡死了") == {"又卡死了"}


def test_jaccard_is_the_share_of_common_grams() -> None:
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 0.5


def test_an_english_pair_above_the_threshold_is_found() -> None:
    texts = [
        "The app crashes when I open the camera",
        "Please add a dark mode",
        "The app crashes when I open the album",
    ]
    assert near_duplicate_pairs(texts) == [(0, 2)]


def test_a_chinese_pair_above_the_threshold_is_found() -> None:
    texts = ["打开相机之后应用就闪退,重启手机也没有用", "希望增加深色模式", "打开相机之后应用就闪退,重启手机也没用"]
    assert near_duplicate_pairs(texts) == [(0, 2)]


def test_white_space_and_case_make_no_difference() -> None:
    assert near_duplicate_pairs(["Login  FAILS again", "login fails\nagain"]) == [(0, 1)]


def test_a_pair_exactly_at_the_threshold_is_not_a_duplicate() -> None:
    left, right = "abcdefg", "bcdefgh"  # grams of 3 and 3, 2 of 4 in common
    assert (jaccard(grams(left), grams(right)), near_duplicate_pairs([left, right])) == (0.5, [])


def test_short_texts_are_duplicates_only_when_equal() -> None:
    assert near_duplicate_pairs(["卡了", "卡死", "卡了"]) == [(0, 2)]


def test_empty_texts_are_duplicates_of_each_other_only() -> None:
    assert near_duplicate_pairs(["", "又卡死了", " \n"]) == [(0, 2)]


def test_no_texts_have_no_pairs() -> None:
    assert near_duplicate_pairs([]) == []


def test_every_pair_found_among_tickets_is_also_found_by_brute_force(edited_tickets: list[str]) -> None:
    assert set(near_duplicate_pairs(edited_tickets)) <= set(brute_force(edited_tickets, 0.5))


def test_every_clear_pair_of_brute_force_is_found_among_tickets(edited_tickets: list[str]) -> None:
    clear = brute_force(edited_tickets, 0.65)  # a candidate with probability 0.99996
    assert set(clear) <= set(near_duplicate_pairs(edited_tickets))


def test_the_sample_of_tickets_holds_pairs_on_both_sides_of_the_threshold(edited_tickets: list[str]) -> None:
    assert 20 < len(brute_force(edited_tickets, 0.5)) < len(edited_tickets) // 2


def test_a_higher_threshold_keeps_only_closer_pairs(edited_tickets: list[str]) -> None:
    assert near_duplicate_pairs(edited_tickets, 0.8) == brute_force(edited_tickets, 0.8)


def test_a_text_joins_the_group_of_another_by_way_of_a_third() -> None:
    first, middle, last = "abcdefghijklmnop", "cdefghijklmnopqr", "efghijklmnopqrst"
    chain = [first, last, "something else entirely", middle]
    assert near_duplicate_pairs(chain) == [(0, 3), (1, 3)]
    number = groups(chain)
    assert number[0] == number[1] == number[3]


def test_unrelated_texts_stand_in_groups_of_their_own() -> None:
    assert len(set(groups(["登录失败", "希望增加深色模式", "How do I export my data?", ""]))) == 4


def test_groups_gives_one_number_for_each_text() -> None:
    assert len(groups(["相同的一句话", "相同的一句话", "另外一句话"])) == 3
