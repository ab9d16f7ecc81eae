"""What is done to every text takes time in proportion to its length, whatever stands in it.

Four times the text may take nine times as long: quadratic time would take sixteen. Time is the processor's; what seems
slow is measured again, with other texts, since words are remembered.
"""

import time
from collections.abc import Callable

import pytest

from nlp_service.knowledge.highlight import Readable, highlights
from nlp_service.text.headline import headline
from nlp_service.text.personal_data import identifies_a_person, mask
from nlp_service.text.segmentation import fold, terms, words
from nlp_service.text.validation import check_text

CHARACTERS, TIMES = 2_000, 4
AT_MOST = 9.0
UNITS = {
    "nothing found": "a",
    "Chinese": "导出",
    "one character": "的",
    "unknown words": "龘靐",
    "traditional": "檔案",
    "digits": "1",
    "zeros": "0",
    "full-width digits": "１",
    "groups of digits": "1234 ",
    "a prefix of every number": "86-",
    "nearly mobile": "1381234567-",
    "local parts": "a.%+-",
    "addresses": "a@a.a",
    "domains": "a.",
    "at signs": "@",
    "codes": "e-1_2.3",
    "hexadecimal": "0x0",
    "dashes": "-",
    "spaces": " ",
    "line breaks": "\n",
    "sentences": "好。",
    "dots": ". ",
    "emoji": "👨‍👩‍👧",
    "combining marks": "e\u0301\u0302",
    "bidirectional": "\u202eאب",
    "length changes in lower case": "İ",
}
AROUND = {"alone": "{}", "between letters": "e{}b", "between at signs": "a@{}@a"}


def _check(text: str) -> str:
    return check_text(f"a{text}", limit=len(text) + 1)


def _highlights(text: str) -> object:
    return highlights({"problem": Readable.of(text)}, {"导出", "a", "1"})


WORK: dict[str, Callable[[str], object]] = {
    "check": _check,
    "mask": mask,
    "identifies": identifies_a_person,
    "fold": fold,
    "words": lambda text: list(words(text)),
    "terms": terms,
    "headline": headline,
    "highlights": _highlights,
}


def _seconds(work: Callable[[str], object], text: str) -> float:
    started = time.process_time()
    work(text)
    return max(time.process_time() - started, 1e-4)


def _is_slow(work: Callable[[str], object], around: str, unit: str) -> bool:
    def text(number: int, length: int) -> str:
        return f"{number} {around.format(unit * (length // len(unit)))}"

    def ratio(number: int) -> float:
        return _seconds(work, text(number, TIMES * CHARACTERS)) / _seconds(work, text(number, CHARACTERS))

    return all(ratio(number) > AT_MOST for number in range(5))


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_time_is_in_proportion_to_length(work: Callable[[str], object], around: str) -> None:
    work("预热 · warm up e1")
    assert [name for name, unit in UNITS.items() if _is_slow(work, around, unit)] == []
