"""Segmentation: the terms that lexical search counts."""

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jieba
import pytest

from nlp_service.text.segmentation import fold, terms, words
from nlp_service.text.segmenter import CompiledSegmenter, PlainSegmenter

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def peer() -> jieba.Tokenizer:
    """jieba itself, without its cache."""
    segmenter = jieba.Tokenizer()
    segmenter.FREQ, segmenter.total = segmenter.gen_pfdict(segmenter.get_dict_file())
    segmenter.initialized = True
    return segmenter


def test_words_come_in_order_of_occurrence() -> None:
    assert terms("登录失败，重启登录") == ["登录", "失败", "重启", "登录"]


def test_a_long_word_also_gives_the_words_in_it() -> None:
    assert terms("人工智能") == ["人工", "智能", "人工智能"]


def test_latin_letters_are_lower_case() -> None:
    assert terms("VPN Timeout") == ["vpn", "timeout"]


def test_full_width_letters_digits_and_spaces_are_folded() -> None:
    assert terms("ＶＰＮ　Ｅ１００１") == terms("VPN E1001")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("安装失败 0x80070005", "0x80070005"),
        ("更新报错0X80070005，重试无效", "0x80070005"),
        ("错误码E1001出现了", "e1001"),
        ("ORA-01555: snapshot too old", "ora-01555"),
        ("补丁KB5034441装不上", "kb5034441"),
        ("返回-1005", "-1005"),
        ("网页显示502错误", "502"),
        ("升级到v5.2.1以后", "v5.2.1"),
    ],
)
def test_a_code_is_one_term(text: str, code: str) -> None:
    assert terms(text).count(code) == 1


def test_a_repeated_code_counts_as_often_as_it_occurs() -> None:
    assert terms("ORA-01555，还是ORA-01555").count("ora-01555") == 2


@pytest.mark.parametrize("word", ["的", "请问", "怎么办", "the", "How"])
def test_stop_words_are_left_out(word: str) -> None:
    assert terms(word) == []


def test_content_words_between_stop_words_stay() -> None:
    assert terms("请问我的发票怎么开") == ["发票", "开"]


def test_traditional_characters_have_the_terms_of_simplified_ones() -> None:
    assert terms("登錄失敗") == terms("登录失败")


def test_words_of_taiwan_have_those_of_the_mainland_as_well() -> None:
    assert {"登录", "文件"} <= set(terms("登入後檔案打不開"))


@pytest.mark.parametrize("spelled", ["ORA-00060", "ora 60", "Ora_060", "ＯＲＡ－00060"])
def test_a_code_has_one_term_however_it_is_spelled(spelled: str) -> None:
    assert "ora60" in terms(f"提示 {spelled} 就停了")


@pytest.mark.parametrize("text", ["", " \n", "👍🎉", "……！？", "❤️‍🔥"])
def test_a_text_without_letters_has_no_terms(text: str) -> None:
    assert terms(text) == []


def test_words_are_told_with_their_places() -> None:
    assert list(words("登录失败 VPN")) == [("登录", 0, 2), ("失败", 2, 4), (" ", 4, 5), ("vpn", 5, 8)]


@pytest.mark.parametrize("text", ["", "登录 失败\n", "ＶＰＮ　断开！", "👍好用😀", "İ 登录", "can't log in", "𠮷野家"])
def test_words_and_signs_together_are_the_whole_text(text: str) -> None:
    assert "".join(text[start:end] for _, start, end in words(text)) == text


@pytest.mark.parametrize("file", sorted(DATA.glob("knowledge/*.jsonl")), ids=lambda file: file.stem)
def test_the_words_are_those_of_jieba(peer: jieba.Tokenizer, file: Path) -> None:
    text = file.read_text("utf-8")
    assert list(words(text)) == list(peer.tokenize(fold(text)))


@pytest.mark.parametrize(
    "text", ["C++和C#", "4S店的Wi-Fi 6E", "江南Style卡30fps", "设为30fps", "99.9%的SLA", "a+b=c&d"]
)
def test_mixed_words_are_parted_as_jieba_does(peer: jieba.Tokenizer, text: str) -> None:
    assert list(words(text)) == list(peer.tokenize(fold(text)))


@pytest.mark.parametrize("file", sorted(DATA.glob("knowledge/*.jsonl")), ids=lambda file: file.stem)
def test_the_terms_are_the_search_words_of_jieba(peer: jieba.Tokenizer, file: Path) -> None:
    text = file.read_text("utf-8")
    stop_words = set(files("nlp_service.text").joinpath("stop_words.txt").read_text("utf-8").split())
    expected = [word for word in peer.cut_for_search(fold(text)) if re.search(r"\w", word) and word not in stop_words]
    assert terms(text)[: len(expected)] == expected


@pytest.mark.parametrize("text", ["人工智能设为30fps", "C++和C#", "登录 失败\n", "自定义词语组合"])
def test_without_the_compiled_one_jieba_itself_gives_the_same(text: str) -> None:
    plain, compiled = PlainSegmenter(), CompiledSegmenter()
    found = list(plain.cut(text))
    assert found == list(compiled.cut(text))
    assert [plain.has_word(word) for word in found] == [compiled.has_word(word) for word in found]


def test_words_are_folded() -> None:
    assert [word for word, _, _ in words("ＶＰＮ")] == ["vpn"]


def test_no_cache_file_is_written_to_the_temporary_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from nlp_service.text.segmentation import terms; print(len(terms('登录失败')))"],
        env={"TMPDIR": str(tmp_path), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), list(tmp_path.iterdir())) == ("2", [])
