"""Windows: nothing of a text is thrown away, nothing is longer than a window."""

from pathlib import Path

import pytest

from nlp_service.inference.bundle import EncoderBundle, read_bundle
from nlp_service.inference.release import read_release
from nlp_service.inference.windows import Windower
from tests.conftest import BUNDLES

LIMIT = 32


@pytest.fixture(scope="module")
def tokenizer() -> Path:
    folder = BUNDLES / read_release(BUNDLES).serving["search"]
    return folder / read_bundle(folder, EncoderBundle).tokenizer_file


@pytest.fixture(scope="module")
def windower(tokenizer: Path) -> Windower:
    return Windower(tokenizer, LIMIT)


def test_a_short_text_is_one_window(windower: Windower) -> None:
    assert len(windower.windows(["登录失败"], "query: ")) == 1


def test_no_window_is_longer_than_the_limit(windower: Windower) -> None:
    windows = windower.windows(["登录失败，请稍后再试。" * 40, "短"], "query: ")
    assert max(len(window.ids) for window in windows) <= LIMIT


def test_windows_name_their_text(windower: Windower) -> None:
    windows = windower.windows(["短", "登录失败，请稍后再试。" * 10, "也短"], "query: ")
    assert [window.text for window in windows] == sorted(window.text for window in windows)
    assert {window.text for window in windows} == {0, 1, 2}


def test_the_windows_of_a_long_text_hold_all_its_tokens(windower: Windower, tokenizer: Path) -> None:
    text = "登录失败，错误码 E1001；请稍后再试。" * 20
    whole = Windower(tokenizer, 4096).windows([text], "")[0].ids[1:-1]
    parts = [token for window in windower.windows([text], "") for token in window.ids[1:-1]]
    assert tuple(parts) == whole


def test_every_window_begins_with_the_prefix(windower: Windower) -> None:
    first, *others = windower.windows(["登录失败，请稍后再试。" * 20], "query: ")
    assert all(window.ids[:3] == first.ids[:3] for window in others)
