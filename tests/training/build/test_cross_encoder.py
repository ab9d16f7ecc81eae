"""Which cross-encoders are read, and that their graph scores as sentence-transformers does."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlp_service.errors import BundleError
from nlp_service.inference.pairs import PairWindower, pair
from tests.crossencoders import MAX_TOKENS, edit_config, save_cross_encoder
from training.build.cross_encoder import load_cross_encoder, token_limit
from training.build.reranker_bundle import full_scores

PAIRS = [("声音卡顿", "网课声音卡顿,学生听老师直播"), ("密码", "登录失败"), ("导出超时", "报表导出失败" * 20)]


@pytest.fixture
def folder(cross_encoder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(cross_encoder, tmp_path / "model"))


def test_scores_are_those_of_sentence_transformers(cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder

    expected = CrossEncoder(str(cross_encoder), device="cpu").predict(PAIRS, activation_fn=torch.nn.Identity())
    windower = PairWindower(cross_encoder / "tokenizer.json", MAX_TOKENS)
    scores = full_scores(load_cross_encoder(cross_encoder), windower, [pair(*texts) for texts in PAIRS])
    np.testing.assert_allclose(scores[:, 0], expected, atol=1e-5)


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BundleError, match=r"only model\.safetensors is read"):
        load_cross_encoder(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_cross_encoder(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auto_map": {"AutoModel": "model.Model"}}, "auto_map"),
        ({"architectures": ["BertModel"]}, "BertModel is no cross-encoder"),
        ({"id2label": {"0": "no", "1": "yes"}}, "needs one label, has 2"),
    ],
    ids=["code of its own", "an encoder", "two labels"],
)
def test_what_is_no_plain_cross_encoder_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    edit_config(folder, **changes)
    with pytest.raises(BundleError, match=message):
        load_cross_encoder(folder)


def test_a_broken_description_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text("{", "utf-8")
    with pytest.raises(BundleError, match=r"config\.json: .*is not JSON"):
        load_cross_encoder(folder)


def test_weights_without_a_classifier_are_refused(folder: Path) -> None:
    from transformers import BertModel

    BertModel.from_pretrained(folder).save_pretrained(folder / "encoder")
    shutil.copy(folder / "encoder" / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(BundleError, match=r"lacks weights: classifier\.bias"):
        load_cross_encoder(folder)


def test_damaged_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(BundleError, match="cannot be loaded"):
        load_cross_encoder(folder)


def test_a_pair_has_as_many_tokens_as_the_model_has_positions(cross_encoder: Path) -> None:
    assert token_limit(cross_encoder) == MAX_TOKENS


def test_models_like_roberta_leave_two_positions_unused(folder: Path) -> None:
    edit_config(folder, model_type="xlm-roberta", max_position_embeddings=514)
    assert token_limit(folder) == 512


def test_no_pair_has_more_than_512_tokens(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path / "long")
    edit_config(folder, max_position_embeddings=8192)
    assert token_limit(folder) == 512
