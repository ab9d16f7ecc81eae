"""A ``tokenizer.json`` of the Unigram kind as a model of sentencepiece.

The model was made by sentencepiece in the first place: vocabulary, scores and normalisation are the same, in another
container. sentencepiece_model.proto of the library says what the fields mean.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]

from nlp_service.inference.bundle import TOKENIZER_FILE, UNIGRAM_FILE
from nlp_service.inference.tokenization import JsonTokenizer, UnigramTokenizer

NORMAL, UNKNOWN, CONTROL = 1, 2, 3
UNIGRAM = 1
SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}


def write_tokenizer(base: Path, target: Path, texts: Sequence[str]) -> str:
    """Write the tokenizer of `base` into `target`, as UNIGRAM_FILE where that gives the same ids for all `texts`.

    Returns the name of the file.
    """
    content = (base / TOKENIZER_FILE).read_bytes()
    model = _to_sentencepiece(json.loads(content))
    if model is not None:
        (target / UNIGRAM_FILE).write_bytes(model.SerializeToString())
        stripped = [text.strip() for text in texts]
        expected = JsonTokenizer(base / TOKENIZER_FILE).encode(stripped)
        if UnigramTokenizer(target / UNIGRAM_FILE).encode(stripped) == expected:
            return UNIGRAM_FILE
        (target / UNIGRAM_FILE).unlink()
    (target / TOKENIZER_FILE).write_bytes(content)
    return TOKENIZER_FILE


def _to_sentencepiece(description: dict[str, Any]) -> ModelProto | None:
    """None when sentencepiece would do something else than the description says."""
    model, charsmap = description["model"], _charsmap(description["normalizer"])
    special = {token["content"]: token["id"] for token in description["added_tokens"]}
    known = {piece: number for number, (piece, _) in enumerate(model["vocab"])} if model["type"] == "Unigram" else {}
    if charsmap is None or not _marks_every_word(description["pre_tokenizer"]) or model.get("byte_fallback"):
        return None
    if any(known.get(token) != number for token, number in special.items()):
        return None
    proto = ModelProto()
    for number, (piece, score) in enumerate(model["vocab"]):
        kind = UNKNOWN if number == model["unk_id"] else CONTROL if piece in special else NORMAL
        proto.pieces.add(piece=piece, score=score, type=kind)
    proto.trainer_spec.model_type = UNIGRAM
    proto.trainer_spec.unk_id = model["unk_id"]
    for role in ("bos", "eos", "pad"):
        setattr(proto.trainer_spec, f"{role}_id", -1)
    proto.normalizer_spec.precompiled_charsmap = charsmap
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = True
    proto.normalizer_spec.escape_whitespaces = True
    return proto


def _charsmap(normalizer: dict[str, Any] | None) -> bytes | None:
    """The table of a normalisation by table alone, with or without folding spaces."""
    steps = [] if normalizer is None else normalizer.get("normalizers", [normalizer])
    if [step["type"] for step in steps[:1]] != ["Precompiled"] or any(step != SPACES for step in steps[1:]):
        return None
    return base64.b64decode(steps[0]["precompiled_charsmap"])


def _marks_every_word(pre_tokenizer: dict[str, Any] | None) -> bool:
    steps = [] if pre_tokenizer is None else pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    marks = [step for step in steps if step["type"] != "WhitespaceSplit"]
    return [step["type"] for step in marks] == ["Metaspace"] and marks[0].get("prepend_scheme") == "always"
