"""Cross-encoders small enough to make, quantise and run within a test, and bundles in which one serves."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from tests.conftest import PROJECT
from training.build.reranker_bundle import install_reranker
from training.search.pairs import SearchData, read_search_data
from training.search.reranking import Fitted

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789,。声音卡顿报表导出失败超时密码网课登录学生老师直播云盘同步上行带宽"
MAX_TOKENS = 64


def save_cross_encoder(folder: Path) -> Path:
    """A random BERT of two layers with one label, hidden 32, that tells query and passage apart by token types."""
    tokens = [*SPECIAL, *dict.fromkeys(CHARACTERS)]
    tokenizer = Tokenizer(WordLevel({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.3,  # so that pairs get different scores
    )
    config.num_labels = 1
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(folder)
    roles: dict[str, Any] = {
        **{f"{role}_token": f"[{role.upper()}]" for role in ("pad", "unk", "cls", "sep")},
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_TOKENS, **roles)  # type: ignore[no-untyped-call]
    fast.save_pretrained(folder)
    return folder


def edit_config(folder: Path, **changes: object) -> None:
    """Change the model's description."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


def few_articles() -> SearchData:
    """Thirty of the project's articles with their queries."""
    data = read_search_data(PROJECT / "data" / "search", PROJECT / "data" / "knowledge")
    articles = dict(list(data.articles.items())[:30])
    return SearchData([], [query for query in data.queries if query.external_id in articles], articles)


def install_among_few(folder: Path, bundles: Path) -> tuple[str, Fitted]:
    """Let the cross-encoder in `folder` serve, calibrated on a few queries."""
    return install_reranker(folder, few_articles(), bundles)
