import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.base.source import VERIFIED
from training.config import Architecture, Optimisation, Review, Sources, Stage, TrainingConfig
from training.data.example import UNKNOWN, Example, Split
from training.encoder import AttentionHead, MultiTaskEncoder, load_transformer, mean_pool
from training.train import Collate, EncodedSets, label_sets, open_for_tuning, shorten, train

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
LAYERS = 3
OPTIMISATION = Optimisation(
    batch_size=4, head_learning_rate=5e-3, weight_decay=0.01, warmup_share=0.1, max_tokens=16, save_steps=10
)
ONLY = Stage(name="only", epochs=2, learning_rate=2e-3, repeat={"tickets": 20, "reviews": 20})
CONFIG = TrainingConfig(
    encoder="tiny",
    tasks=("sentiment", "classify"),
    seed=1,
    sources=Sources(),
    split={},
    optimisation=OPTIMISATION,
    stages=(ONLY,),
    review=Review(precision=0.9),
    quantisation="static",
)
STEPS = 120  # 12 texts, each seen 20 times in both epochs, 4 in a batch
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
    *(Example(text, text, "tickets", {"classify": label}) for label, texts in TICKETS.items() for text in texts),
    *(Example(text, text, "reviews", {"sentiment": label}) for label, texts in REVIEWS.items() for text in texts),
]
ALL_WRONG = [
    Example(f"wrong-{example.id}", example.text, "reviews", {"sentiment": "negative"})
    for example in EXAMPLES
    if example.labels.get("sentiment") in {"neutral", "positive"}
]
"""What is learned from the examples makes the loss on these worse and worse."""
Splits = dict[Split, Sequence[Example]]
SPLITS: Splits = {"train": EXAMPLES, "validation": ALL_WRONG, "test": []}


class CountingCollate(Collate):
    """Counts the batches, and stops the run at one of them as a power cut would."""

    batches = 0
    last: int | None = None

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        CountingCollate.batches += 1
        if CountingCollate.batches == CountingCollate.last:
            raise KeyboardInterrupt
        return super().__call__(rows)


def run(checkpoint: Path, work: Path, config: TrainingConfig = CONFIG, splits: Splits = SPLITS) -> MultiTaskEncoder:
    (checkpoint / VERIFIED).write_text("0" * 64, "ascii")
    return train(config, checkpoint, "query: ", splits, work)


def with_stages(*stages: Stage, **architecture: Any) -> TrainingConfig:
    return CONFIG.model_copy(update={"stages": stages, "architecture": Architecture(**architecture)})


def with_optimisation(**changes: float) -> TrainingConfig:
    return CONFIG.model_copy(update={"optimisation": OPTIMISATION.model_copy(update=changes)})


def log(work: Path, name: str) -> list[float]:
    """The values that a run of one stage logged under `name`, in order."""
    (file,) = work.glob("*/log.json")
    return [entry[name] for entry in json.loads(file.read_text("utf-8")) if name in entry]


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, weight in after.items() if not torch.equal(weight, before[name])}


def assert_same_weights(found: nn.Module, wanted: nn.Module) -> None:
    after = found.state_dict()
    for name, weight in wanted.state_dict().items():
        torch.testing.assert_close(after[name], weight, msg=name)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def trained(checkpoint: Path, work: Path) -> MultiTaskEncoder:
    """The model of a run without interruption, kept under `work`."""
    return run(checkpoint, work)


@pytest.fixture(scope="module")
def deep(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint with three layers."""
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("deep") / "tiny"
    shutil.copytree(checkpoint, folder)
    config = BertConfig.from_pretrained(checkpoint, num_hidden_layers=LAYERS)
    torch.manual_seed(2)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingCollate]:
    monkeypatch.setattr(CountingCollate, "batches", 0)
    monkeypatch.setattr(CountingCollate, "last", None)
    monkeypatch.setattr("training.train.Collate", CountingCollate)
    return CountingCollate


def interrupt(
    counting: type[CountingCollate], last: int, checkpoint: Path, work: Path, config: TrainingConfig = CONFIG
) -> None:
    """Run until the batch of this number, and count anew."""
    counting.last = last
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, work, config)
    counting.last, counting.batches = None, 0


@pytest.fixture
def interrupted(checkpoint: Path, counting: type[CountingCollate], tmp_path: Path) -> Path:
    """The work folder of a run that stopped between its first checkpoint, at step 10, and its second."""
    interrupt(counting, 16, checkpoint, tmp_path)
    return tmp_path


@pytest.mark.usefixtures("trained")
def test_the_loss_falls(work: Path) -> None:
    losses = log(work, "loss")
    assert losses[-1] < losses[0] / 2


def test_word_embeddings_stay_as_they_are(trained: MultiTaskEncoder, checkpoint: Path) -> None:
    before = load_transformer(checkpoint).state_dict()[WORD_EMBEDDINGS]
    assert torch.equal(trained.transformer.state_dict()[WORD_EMBEDDINGS], before)


def test_every_other_matrix_of_the_transformer_is_trained(trained: MultiTaskEncoder, checkpoint: Path) -> None:
    before = load_transformer(checkpoint).state_dict()
    after = trained.transformer.state_dict()
    matrices = {name for name, weight in after.items() if weight.is_floating_point() and weight.ndim == 2}
    assert matrices - changed(before, after) == {WORD_EMBEDDINGS}


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
    assert changed(trained.state_dict(), loaded) == set()


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
    assert_same_weights(run(checkpoint, interrupted), trained)


def test_a_checkpoint_whose_writing_was_interrupted_is_passed_over(
    interrupted: Path, checkpoint: Path, counting: type[CountingCollate]
) -> None:
    (complete,) = interrupted.rglob("checkpoint-10")
    shutil.copytree(complete, complete.with_name("checkpoint-20"))
    (complete.with_name("checkpoint-20") / "trainer_state.json").unlink()
    run(checkpoint, interrupted)
    assert counting.batches == STEPS - 10


def test_other_data_is_trained_anew(trained: MultiTaskEncoder, checkpoint: Path, work: Path) -> None:
    other = run(checkpoint, work, splits=SPLITS | {"train": EXAMPLES[:-1]})
    assert changed(trained.state_dict(), other.state_dict())


def test_other_settings_are_trained_anew(trained: MultiTaskEncoder, checkpoint: Path, work: Path) -> None:
    other = run(checkpoint, work, with_optimisation(weight_decay=0.1))
    assert changed(trained.state_dict(), other.state_dict())


SHORT = Stage(name="first", epochs=1, learning_rate=2e-3, repeat={"tickets": 4, "reviews": 4})
SECOND = SHORT.model_copy(update={"name": "second", "repeat": {"reviews": 8}})
SHORT_STEPS = 12
STILL = 1e-12
"""A learning rate that moves nothing."""
LORA_WARNING = "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"  # peft reads it of transformers


def test_a_stage_goes_on_from_what_the_last_one_gave(checkpoint: Path, tmp_path: Path) -> None:
    one = run(checkpoint, tmp_path, with_stages(SHORT)).transformer
    barely = SECOND.model_copy(update={"learning_rate": STILL})
    assert_same_weights(run(checkpoint, tmp_path, with_stages(SHORT, barely)).transformer, one)


@pytest.mark.filterwarnings(LORA_WARNING)
@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_finished_stage_is_not_repeated_and_the_next_gives_what_it_gives_in_one_run(
    tuning: str, checkpoint: Path, counting: type[CountingCollate], tmp_path: Path
) -> None:
    config = with_stages(SHORT, SECOND, tuning=tuning)
    unbroken = run(checkpoint, tmp_path / "unbroken", config)
    counting.batches = 0
    interrupt(counting, SHORT_STEPS + 3, checkpoint, tmp_path / "broken", config)
    resumed = run(checkpoint, tmp_path / "broken", config)
    assert counting.batches == SHORT_STEPS
    assert_same_weights(resumed, unbroken)


PATIENT = ONLY.model_copy(update={"patience": 2, "epochs": 4, "learning_rate": 1e-3})
OFTEN = CONFIG.model_copy(
    update={"stages": (PATIENT,), "optimisation": OPTIMISATION.model_copy(update={"save_steps": 4})}
)


def validation_loss(model: MultiTaskEncoder, checkpoint: Path) -> float:
    from transformers import AutoTokenizer

    sets = EncodedSets(OFTEN, PATIENT, AutoTokenizer.from_pretrained(checkpoint), "query: ", SPLITS)
    rows = [{"input_ids": row.input_ids, "labels": row.labels} for row in sets.validation]
    with torch.inference_mode():
        return float(model(**Collate(sets.pad)(rows))["loss"])


@pytest.fixture(scope="module")
def stopped(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[MultiTaskEncoder, Path]:
    """A model whose training stopped early, and its work folder."""
    work = tmp_path_factory.mktemp("stopped")
    return run(checkpoint, work, OFTEN), work


def test_training_stops_after_as_many_evaluations_without_a_better_one_as_patience_says(
    stopped: tuple[MultiTaskEncoder, Path],
) -> None:
    losses = log(stopped[1], "eval_loss")
    assert len(losses) == losses.index(min(losses)) + 1 + PATIENT.patience


def test_the_best_model_is_kept_when_training_stops_early(
    stopped: tuple[MultiTaskEncoder, Path], checkpoint: Path
) -> None:
    losses = log(stopped[1], "eval_loss")
    assert losses[-1] > 1.1 * min(losses)
    assert validation_loss(stopped[0], checkpoint) == pytest.approx(min(losses), rel=0.02)


def test_patience_that_was_used_up_before_an_interruption_is_not_given_again(
    stopped: tuple[MultiTaskEncoder, Path], checkpoint: Path, counting: type[CountingCollate], tmp_path: Path
) -> None:
    losses = log(stopped[1], "eval_loss")
    evaluated = losses.index(min(losses)) + 2  # one without a better loss
    interrupt(counting, evaluated * 5 + 2, checkpoint, tmp_path, OFTEN)  # 4 batches to train, 1 to evaluate
    resumed = run(checkpoint, tmp_path, OFTEN)
    assert log(tmp_path, "eval_loss") == pytest.approx(losses)
    assert_same_weights(resumed, stopped[0])


@pytest.mark.parametrize(("patience", "anew"), [(0, False), (2, True)])
def test_other_validation_texts_are_trained_for_anew_only_where_they_stop_the_training(
    patience: int, anew: bool, checkpoint: Path, counting: type[CountingCollate], tmp_path: Path
) -> None:
    config = with_stages(SHORT.model_copy(update={"patience": patience}))
    run(checkpoint, tmp_path, config)
    counting.batches = 0
    run(checkpoint, tmp_path, config, SPLITS | {"validation": ALL_WRONG[1:]})
    assert (counting.batches > 0) == anew
