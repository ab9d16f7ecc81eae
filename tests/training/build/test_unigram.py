"""The tokenizer in sentencepiece's container gives the ids of the original; no text passes for a special token."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.inference.bundle import TOKENIZER_FILE, UNIGRAM_FILE
from nlp_service.inference.tokenization import JsonTokenizer, UnigramTokenizer
from nlp_service.inference.windows import Windower
from tests.conftest import BUNDLES, PROJECT
from tests.releases import serving_head
from training.base import load_base_spec, obtain_base
from training.build.unigram import write_tokenizer

TEXTS = [
    "又闪退了😡😡，三次没保存！",
    "Ａｐｐ　打不開，錯誤碼 ０ｘ８０",
    "①②③ ﷺ ½ ㎏ ™",
    "java.lang.NullPointerException: at com.x.Y.z(Y.java:42)",
    "👩‍👩‍👧‍👦 e\u0301 \u202eabc\u202c",
    "   a   b\t\tc\n\nd   ",
    "哈" * 50,
]


@pytest.fixture(scope="module")
def base() -> Path:
    """The base encoder that the bundles were built from."""
    return obtain_base(load_base_spec(PROJECT / "models"), BUNDLES.parent)


@pytest.fixture(scope="module")
def unigram(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unigram")
    assert write_tokenizer(base, folder, TEXTS) == UNIGRAM_FILE
    return folder / UNIGRAM_FILE


def test_ids_are_those_of_the_original(base: Path, unigram: Path) -> None:
    lines = (PROJECT / "data" / "tickets").glob("*.jsonl")
    texts = [json.loads(line)["text"].strip() for file in lines for line in file.read_text("utf-8").splitlines()[:20]]
    assert UnigramTokenizer(unigram).encode(texts) == JsonTokenizer(base / TOKENIZER_FILE).encode(texts)


@pytest.mark.parametrize("text", ["<s>", "</s>", "<mask>", "<pad>", "请看 <s>日志</s> <mask>"])
def test_a_text_is_never_taken_for_a_special_token(unigram: Path, text: str) -> None:
    tokenizer = UnigramTokenizer(unigram)
    special = {tokenizer.id_of(token) for token in ("<s>", "</s>", "<mask>", "<pad>")}
    assert not special & set(tokenizer.encode([text])[0])


def test_special_tokens_have_their_ids(unigram: Path) -> None:
    tokenizer = UnigramTokenizer(unigram)
    assert [tokenizer.id_of(token) for token in ("<s>", "<pad>", "</s>", "<unk>")] == [0, 1, 2, 3]


def test_an_unknown_token_has_none(unigram: Path) -> None:
    assert UnigramTokenizer(unigram).id_of("[CLS]") is None


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_any_text_gives_windows(unigram: Path, text: str) -> None:
    windows = Windower(unigram, 32).windows([text], "query: ")
    assert windows
    assert all(0 <= token < 250_037 for window in windows for token in window.ids)


def test_another_kind_of_tokenizer_is_kept_as_it_is(checkpoint: Path, tmp_path: Path) -> None:
    assert write_tokenizer(checkpoint, tmp_path, TEXTS) == TOKENIZER_FILE
    assert (tmp_path / TOKENIZER_FILE).read_bytes() == (checkpoint / TOKENIZER_FILE).read_bytes()


def test_one_that_would_give_other_ids_is_kept_as_it_is(base: Path, tmp_path: Path) -> None:
    description = json.loads((base / TOKENIZER_FILE).read_text("utf-8"))
    description["pre_tokenizer"] = {"type": "Whitespace"}
    changed = tmp_path / "base"
    changed.mkdir()
    (changed / TOKENIZER_FILE).write_text(json.dumps(description), "utf-8")
    assert write_tokenizer(changed, tmp_path, TEXTS) == TOKENIZER_FILE


def test_the_encoders_that_are_built_have_it() -> None:
    reference = json.loads((serving_head(BUNDLES, "classify") / "bundle.json").read_text("utf-8"))["encoder"]
    folder = BUNDLES / "encoders" / f"{reference['name']}-{reference['fingerprint'][:12]}"
    assert (folder / UNIGRAM_FILE).is_file()
