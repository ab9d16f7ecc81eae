"""A sentence-transformers checkpoint small enough to make, copy and train within a test."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
CHARACTERS = (
    "abcdefghijklmnopqrstuvwxyz0123456789 :,。!?"
    "打开应用就闪退登录失败一直转圈卡死了黑屏报错希望增加深色模式支持批量导出"
    "能不能加个搜索功能请问怎么修改密码在哪里看发票很好用喜欢谢谢太差难用后悔买还行一般般不错"
)
ROLES: dict[str, Any] = {
    **dict.fromkeys(("bos_token", "cls_token"), "<s>"),
    **dict.fromkeys(("eos_token", "sep_token"), "</s>"),
    **{f"{role}_token": f"<{role}>" for role in ("pad", "unk", "mask")},
    "model_input_names": ["input_ids", "attention_mask"],
}
HIDDEN = 32
DEEP = 3
"""Layers of the deeper one."""


def save_checkpoint(folder: Path, *, seed: int = 0) -> None:
    """A BertModel of one layer, hidden 32, with a tokenizer that makes each character a token."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokens = [*SPECIAL, *dict.fromkeys(CHARACTERS)]
    tokenizer = Tokenizer(WordLevel({token: number for number, token in enumerate(tokens)}, unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    config = BertConfig(
        vocab_size=300,
        hidden_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=1,
    )
    torch.manual_seed(seed)
    plain = folder.with_name(folder.name + "-plain")
    BertModel(config, add_pooling_layer=False).save_pretrained(plain)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **ROLES)  # type: ignore[no-untyped-call]
    fast.save_pretrained(plain)
    body = Transformer(str(plain), max_seq_length=64)
    modules = [body, Pooling(HIDDEN, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny checkpoint; read-only for tests."""
    folder = tmp_path_factory.mktemp("base") / "tiny"
    save_checkpoint(folder)
    return folder


@pytest.fixture(scope="session")
def deep(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint with three layers; read-only for tests."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("deep") / "tiny"
    shutil.copytree(checkpoint, folder)
    config = BertConfig.from_pretrained(checkpoint, num_hidden_layers=DEEP)
    torch.manual_seed(2)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder
