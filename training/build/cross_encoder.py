"""A sentence-transformers cross-encoder in a folder: checked, and as a graph that gives one score for each pair."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from nlp_service.errors import BundleError
from nlp_service.inference.bundle import TOKENIZER_FILE
from nlp_service.inference.openvino_import import import_openvino

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
MAX_TOKENS = 512
OFFSET = 2
"""RoBERTa's family leaves so many of its positions unused."""


class CrossEncoder(nn.Module):
    """Scores of pairs, shape (pairs, 1), as logits, from padded ids and mask, shape (pairs, tokens)."""

    def __init__(self, model: nn.Module, separator: int | None) -> None:
        """`separator` ends the query in models that tell both texts apart by token types; None in the others."""
        super().__init__()
        self._model = model
        self._separator = separator

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """See the class."""
        types = {}
        if self._separator is not None:
            ends = (input_ids == self._separator).long()
            types = {"token_type_ids": ((ends.cumsum(1) - ends) > 0).long() * attention_mask}
        scores: Tensor = self._model(input_ids=input_ids, attention_mask=attention_mask, **types).logits
        return scores


def load_cross_encoder(folder: Path) -> CrossEncoder:
    """In float32, running no code of the folder; raises BundleError saying what is missing, or not supported."""
    from transformers import AutoModelForSequenceClassification

    _check_files(folder)
    _check_config(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            separator = _separator(folder)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise BundleError(f"{folder}: 无法加载 · cannot be loaded: {error}") from error
    if missing := sorted(loading["missing_keys"]):
        raise BundleError(f"{folder}: {WEIGHTS_FILE} 缺少权重 · lacks weights: {', '.join(missing[:3])}")
    return CrossEncoder(model.eval(), separator)


def token_limit(folder: Path) -> int:
    """How many tokens of a pair the model can read: 512 at most."""
    config = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
    positions = int(config.get("max_position_embeddings", MAX_TOKENS))
    return min(MAX_TOKENS, positions - OFFSET * ("roberta" in config.get("model_type", "")))


def score_graph(model: CrossEncoder) -> Any:
    """An `openvino.Model` with inputs `input_ids` and `attention_mask` (pairs, tokens), output (pairs, 1)."""
    openvino = import_openvino()
    example = {name: torch.ones((2, 8), dtype=torch.long) for name in ("input_ids", "attention_mask")}
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return openvino.convert_model(model, example_input=example)


def _check_files(folder: Path) -> None:
    if not (folder / WEIGHTS_FILE).is_file() and any(folder.glob("pytorch_model*.bin")):
        raise BundleError(
            f"{folder}: 只接受 safetensors:pytorch_model.bin 可以执行任意代码 · only {WEIGHTS_FILE} is read, since "
            "pytorch_model.bin can run code; save the model with save_pretrained(…, safe_serialization=True)"
        )
    for name in (CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE):
        if not (folder / name).is_file():
            raise BundleError(f"{folder}: 缺少 {name} · {name} is missing")


def _check_config(folder: Path) -> None:
    try:
        config = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
    except ValueError as error:
        raise BundleError(f"{folder / CONFIG_FILE}: 不是 JSON · is not JSON: {error}") from error
    if "auto_map" in config:
        raise BundleError(
            f"{folder / CONFIG_FILE}: auto_map: 不运行模型自带的代码 · needs code of its own, which is never run"
        )
    architecture = ", ".join(config.get("architectures") or ["–"])
    if not architecture.endswith("ForSequenceClassification"):
        raise BundleError(
            f"{folder / CONFIG_FILE}: architectures: 不是交叉编码器 · {architecture} is no cross-encoder "
            "(…ForSequenceClassification)"
        )
    labels = len(config.get("id2label") or {"0": "", "1": ""})
    if labels != 1:
        raise BundleError(
            f"{folder / CONFIG_FILE}: id2label: 须只有一个标签,实际 {labels} · needs one label, has {labels}"
        )


def _separator(folder: Path) -> int | None:
    """The token after the query where the model is given token types, of which each text has its own."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    encoded = tokenizer("a", "b")
    types = encoded.get("token_type_ids", [])
    return int(encoded["input_ids"][types.index(1) - 1]) if 1 in types else None
