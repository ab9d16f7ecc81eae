"""A shallower encoder in the place of the fine-tuned one: it answers as that one, with the same heads."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from training.base.source import VERIFIED
from training.base.spec import load_base_spec
from training.config import Optimisation, Review, Sources, Stage, Student, TrainingConfig
from training.data.example import Example, Split
from training.encoder import MultiTaskEncoder, weights_of
from training.export import export_encoder
from training.shallow import shallow
from training.stored import load_stored, read_description
from training.student import train_student
from training.tokens import pad_batch
from training.train import train

PROJECT = Path(__file__).parents[2]
STAGE = Stage(name="only", epochs=2, learning_rate=2e-3, repeat={"tickets": 30})
STUDENT = Student(
    layers=(0, 2),
    epochs=3,
    learning_rate=3e-3,
    repeat={"tickets": 30},
    rewritten=0.5,
    pieces={"tickets": 4},
    batch_tokens=128,
)
CONFIG = TrainingConfig(
    encoder="tiny",
    tasks=("sentiment", "classify"),
    seed=1,
    sources=Sources(),
    split={},
    optimisation=Optimisation(
        batch_size=4, head_learning_rate=5e-3, weight_decay=0.01, warmup_share=0.1, max_tokens=24, save_steps=100
    ),
    stages=(STAGE,),
    student=STUDENT,
    review=Review(precision=0.9),
    quantisation="dynamic",
)
TICKETS = {
    "打开应用就闪退": ("fault", "negative"),
    "登录失败,一直转圈": ("fault", "negative"),
    "希望增加深色模式": ("feature_request", "neutral"),
    "希望支持批量导出,很好用": ("feature_request", "positive"),
    "请问怎么修改密码?": ("question", "neutral"),
    "请问在哪里看发票?": ("question", "neutral"),
}
EXAMPLES = [
    Example(text, text, "tickets", {"classify": kind, "sentiment": opinion})
    for text, (kind, opinion) in TICKETS.items()
]
SPLITS: dict[Split, Sequence[Example]] = {"train": EXAMPLES, "validation": [], "test": []}
IDS, MASK = pad_batch([list(range(40 + length, 40 + 2 * length)) for length in (6, 9, 12, 15)], 1)


@pytest.fixture(scope="module")
def base(deep: Path) -> Path:
    (deep / VERIFIED).write_text("0" * 64, "ascii")
    return deep


@pytest.fixture(scope="module")
def teacher(base: Path, tmp_path_factory: pytest.TempPathFactory) -> MultiTaskEncoder:
    return train(CONFIG, base, "", SPLITS, tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("student")


@pytest.fixture(scope="module")
def student(base: Path, teacher: MultiTaskEncoder, work: Path) -> MultiTaskEncoder:
    return train_student(CONFIG, STUDENT, base, "", teacher, SPLITS, work)


def apart(left: MultiTaskEncoder, right: MultiTaskEncoder) -> float:
    """Mean squared difference of what the heads say of texts that are not in the data."""
    with torch.no_grad():
        said, other = (model.logits(IDS, MASK) for model in (left, right))
    return sum(float((said[task] - other[task]).square().mean()) for task in left.tasks)


def test_it_answers_more_like_the_whole_than_the_layers_that_it_began_with(
    teacher: MultiTaskEncoder, student: MultiTaskEncoder
) -> None:
    begun = MultiTaskEncoder(shallow(teacher.transformer, STUDENT.layers), teacher.heads, CONFIG.architecture).eval()
    assert apart(student, teacher) < apart(begun, teacher)


def test_words_and_heads_stay(teacher: MultiTaskEncoder, student: MultiTaskEncoder) -> None:
    words = "embeddings.word_embeddings.weight"
    assert np.array_equal(weights_of(student.transformer)[words], weights_of(teacher.transformer)[words])
    for task in teacher.tasks:
        assert np.array_equal(student.head_weights(task)[0], teacher.head_weights(task)[0])


def test_what_is_finished_is_not_trained_again(
    base: Path, teacher: MultiTaskEncoder, student: MultiTaskEncoder, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.student.distil", lambda *_: pytest.fail("trained again"))
    again = train_student(CONFIG, STUDENT, base, "", teacher, SPLITS, work)
    first = weights_of(student)
    assert all(np.array_equal(first[name], weight) for name, weight in weights_of(again).items())


def test_its_source_form_names_its_layers(base: Path, student: MultiTaskEncoder, tmp_path: Path) -> None:
    spec = load_base_spec(PROJECT / "models")
    export_encoder(CONFIG, spec, base, student.transformer, SPLITS, tmp_path)
    folder = tmp_path / "encoders" / "tiny"
    assert read_description(folder)["layers"] == [0, 2]
    assert load_stored(folder, base).config.num_hidden_layers == 2
