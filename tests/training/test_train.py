import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from tests.training.conftest import DEEP
from training.base.source import VERIFIED
from training.config import Architecture, Optimisation, Review, Sources, Stage, TrainingConfig
from training.data.example import UNKNOWN, Example, Split
from training.encoder import MultiTaskEncoder, load_transformer
from training.tokens import shorten
from training.train import Collate, EncodedSets, label_sets, open_for_tuning, train

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
OPTIMISATION = Optimisation(
    batch_size=4, head_learning_rate=5e-3, weight_decay=0.01, warmup_share=0.1, max_tokens=16, save_steps=10
)
ONLY = Stage(name="only", epochs=2, learning_rate=2e-3, repeat={"tickets": 10, "reviews": 10})
LONG = ONLY.model_copy(update={"repeat": {"tickets": 40, "reviews": 40}})
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
STEPS = 60  # 12 texts, each seen 10 times in both epochs, 4 in a batch
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
Splits = dict[Split, Sequence[Example]]
SPLITS: Splits = {"train": EXAMPLES, "validation": [], "test": []}


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


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingCollate]:
    monkeypatch.setattr(CountingCollate, "batches", 0)
    monkeypatch.setattr(CountingCollate, "last", None)
    monkeypatch.setattr("training.train.Collate", CountingCollate)
    return CountingCollate


def interrupt(
    counting: type[CountingCollate],
    last: int,
    checkpoint: Path,
    work: Path,
    config: TrainingConfig = CONFIG,
    splits: Splits = SPLITS,
) -> None:
    """Run until the batch of this number, and count anew."""
    counting.last = last
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, work, config, splits)
    counting.last, counting.batches = None, 0


@pytest.fixture
def interrupted(checkpoint: Path, counting: type[CountingCollate], tmp_path: Path) -> Path:
    """The work folder of a run that stopped between its first checkpoint, at step 10, and its second."""
    interrupt(counting, 16, checkpoint, tmp_path)
    return tmp_path


@pytest.mark.parametrize("architecture", [{}, {"loss": "binary"}, {"pooling": "attention"}], ids=str)
def test_the_loss_falls_with(architecture: dict[str, str], checkpoint: Path, tmp_path: Path) -> None:
    run(checkpoint, tmp_path, with_stages(LONG, **architecture))
    losses = log(tmp_path, "loss")
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


PATIENT = Stage(name="patient", epochs=1, learning_rate=2e-3, repeat={"reviews": 160}, patience=2)
TWO_LABELS = {"tasks": ("sentiment",), "labels": {"sentiment": ("negative", "positive")}}
OFTEN = with_optimisation(save_steps=20, head_learning_rate=2e-2).model_copy(
    update={"stages": (PATIENT,), **TWO_LABELS}
)
OPPOSITE = {"negative": "positive", "positive": "negative"}
OPINIONS = {"很好用喜欢": "positive", "不错很好用": "positive", "太差很难用": "negative", "后悔买难用": "negative"}
CONTRADICTED: Splits = {
    "train": [Example(text, text, "reviews", {"sentiment": label}) for text, label in OPINIONS.items()],
    "validation": [Example(text, text, "reviews", {"sentiment": OPPOSITE[label]}) for text, label in OPINIONS.items()],
    "test": [],
}
"""The more is learned, the worse the validation loss."""


def validation_loss(model: MultiTaskEncoder, checkpoint: Path) -> float:
    from transformers import AutoTokenizer

    sets = EncodedSets(OFTEN, PATIENT, AutoTokenizer.from_pretrained(checkpoint), "query: ", CONTRADICTED)
    rows = [{"input_ids": row.input_ids, "labels": row.labels} for row in sets.validation]
    with torch.inference_mode():
        return float(model(**Collate(sets.pad)(rows))["loss"])


@pytest.fixture(scope="module")
def stopped(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[MultiTaskEncoder, Path]:
    """A model whose training stopped early, and its work folder."""
    work = tmp_path_factory.mktemp("stopped")
    return run(checkpoint, work, OFTEN, CONTRADICTED), work


def test_training_stops_after_as_many_evaluations_without_a_better_one_as_patience_says(
    stopped: tuple[MultiTaskEncoder, Path],
) -> None:
    losses = log(stopped[1], "eval_loss")
    assert len(losses) == losses.index(min(losses)) + 1 + PATIENT.patience


def test_the_best_model_is_kept_when_training_stops_early(
    stopped: tuple[MultiTaskEncoder, Path], checkpoint: Path
) -> None:
    losses = log(stopped[1], "eval_loss")
    assert losses[-1] > 1.5 * min(losses)
    assert validation_loss(stopped[0], checkpoint) == pytest.approx(min(losses), rel=0.02)


def test_patience_that_was_used_up_before_an_interruption_is_not_given_again(
    stopped: tuple[MultiTaskEncoder, Path], checkpoint: Path, counting: type[CountingCollate], tmp_path: Path
) -> None:
    losses = log(stopped[1], "eval_loss")
    one_worse = losses.index(min(losses)) + 2
    last = one_worse * 21 + 2  # 20 batches are trained on for each evaluation of one
    interrupt(counting, last, checkpoint, tmp_path, OFTEN, CONTRADICTED)
    resumed = run(checkpoint, tmp_path, OFTEN, CONTRADICTED)
    assert len(log(tmp_path, "eval_loss")) == len(losses)
    assert_same_weights(resumed, stopped[0])


@pytest.mark.parametrize(("patience", "anew"), [(0, False), (2, True)])
def test_other_validation_texts_are_trained_for_anew_only_where_they_stop_the_training(
    patience: int, anew: bool, checkpoint: Path, counting: type[CountingCollate], tmp_path: Path
) -> None:
    config = with_stages(SHORT.model_copy(update={"patience": patience}))
    run(checkpoint, tmp_path, config, SPLITS | {"validation": EXAMPLES})
    counting.batches = 0
    run(checkpoint, tmp_path, config, SPLITS | {"validation": EXAMPLES[:-1]})
    assert (counting.batches > 0) == anew


def learning(model: MultiTaskEncoder) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def opened(checkpoint: Path, **architecture: Any) -> MultiTaskEncoder:
    chosen = Architecture(**architecture)
    model = MultiTaskEncoder.on(load_transformer(checkpoint), label_sets(CONFIG), chosen)
    open_for_tuning(model, chosen)
    return model


HEADS = {f"heads.{task}.linear.{part}" for task in ("sentiment", "classify") for part in ("weight", "bias")}


def test_full_tuning_opens_everything_but_the_word_embeddings(deep: Path) -> None:
    everything = {name for name, _ in opened(deep).named_parameters()}
    assert everything - learning(opened(deep)) == {f"transformer.{WORD_EMBEDDINGS}"}


def test_frozen_tuning_opens_the_heads_alone(deep: Path) -> None:
    assert learning(opened(deep, tuning="frozen")) == HEADS


@pytest.mark.parametrize(("top", "layers"), [(1, {"2"}), (2, {"1", "2"}), (6, {"0", "1", "2"})])
def test_top_tuning_opens_the_last_layers_and_the_heads(top: int, layers: set[str], deep: Path) -> None:
    found = learning(opened(deep, tuning="top", top_layers=top)) - HEADS
    assert {name.split(".")[:3] == ["transformer", "encoder", "layer"] for name in found} == {True}
    assert {name.split(".")[3] for name in found} == layers


@pytest.mark.filterwarnings(LORA_WARNING)
def test_lora_opens_two_matrices_of_the_rank_beside_each_linear_layer_and_the_heads(deep: Path) -> None:
    model = opened(deep, tuning="lora", lora_rank=3)
    found = {name: tuple(weight.shape) for name, weight in model.named_parameters() if weight.requires_grad}
    added = {name: shape for name, shape in found.items() if name not in HEADS}
    assert len(added) == 2 * 6 * DEEP
    assert {(("lora_A" in name), ("lora_B" in name), 3 in shape) for name, shape in added.items()} == {
        (True, False, True),
        (False, True, True),
    }


def is_linear(name: str) -> bool:
    return name.startswith("encoder.") and name.endswith(".weight") and "LayerNorm" not in name


@pytest.mark.filterwarnings(LORA_WARNING)
@pytest.mark.parametrize("tuning", ["frozen", "top", "lora"])
def test_training_changes_only_what_is_tuned(tuning: str, deep: Path, tmp_path: Path) -> None:
    before = load_transformer(deep).state_dict()
    after = run(deep, tmp_path, with_stages(SHORT, tuning=tuning, top_layers=1)).transformer.state_dict()
    moved = changed(before, {name: after[name] for name in before})
    allowed = {
        "frozen": set[str](),
        "top": {name for name in before if name.startswith("encoder.layer.2.")},
        "lora": {name for name in before if is_linear(name)},
    }
    # The bias of the keys adds the same to every score of a query, so nothing pulls at it.
    assert {name for name in allowed[tuning] - moved if not name.endswith("key.bias")} == set()
    assert moved <= allowed[tuning]


@pytest.mark.filterwarnings(LORA_WARNING)
@pytest.mark.parametrize("tuning", ["full", "top", "lora", "frozen"])
def test_the_trained_transformer_has_the_names_of_the_plain_one(tuning: str, deep: Path, tmp_path: Path) -> None:
    model = run(deep, tmp_path, with_stages(SHORT, tuning=tuning))
    assert list(model.transformer.state_dict()) == list(load_transformer(deep).state_dict())


@pytest.mark.filterwarnings(LORA_WARNING)
def test_lora_that_is_folded_in_gives_the_states_that_it_gave_beside_the_weights(deep: Path) -> None:
    model = opened(deep, tuning="lora").eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    ids, mask = torch.tensor([[0, 7, 8, 2]]), torch.ones(1, 4, dtype=torch.long)
    with torch.inference_mode():
        beside = model.logits(ids, mask)["classify"]
        model.transformer = cast(Any, model.transformer).merge_and_unload()
        torch.testing.assert_close(model.logits(ids, mask)["classify"], beside)


@pytest.mark.filterwarnings(LORA_WARNING)
def test_an_interrupted_run_of_lora_ends_with_the_model_of_one_without_interruption(
    checkpoint: Path, counting: type[CountingCollate], tmp_path: Path
) -> None:
    config = with_stages(SHORT, tuning="lora")
    unbroken = run(checkpoint, tmp_path / "unbroken", config)
    counting.batches = 0
    interrupt(counting, 11, checkpoint, tmp_path / "broken", config)
    assert_same_weights(run(checkpoint, tmp_path / "broken", config), unbroken)


def untrained(checkpoint: Path, config: TrainingConfig) -> MultiTaskEncoder:
    """What training by the configuration begins with."""
    torch.manual_seed(config.seed)
    return MultiTaskEncoder.on(load_transformer(checkpoint), label_sets(config), config.architecture)


def with_rates(encoder: float, heads: float) -> TrainingConfig:
    stages = (SHORT.model_copy(update={"learning_rate": encoder}),)
    return with_optimisation(head_learning_rate=heads).model_copy(update={"stages": stages})


def test_the_encoder_learns_at_the_rate_of_the_stage(checkpoint: Path, tmp_path: Path) -> None:
    config = with_rates(encoder=STILL, heads=1e-2)
    assert_same_weights(run(checkpoint, tmp_path, config).transformer, untrained(checkpoint, config).transformer)


def test_the_heads_learn_at_a_rate_of_their_own(checkpoint: Path, tmp_path: Path) -> None:
    config = with_rates(encoder=1e-2, heads=STILL)
    assert_same_weights(run(checkpoint, tmp_path, config).heads, untrained(checkpoint, config).heads)


def test_a_head_whose_task_no_text_is_labelled_for_stays_as_it_was(checkpoint: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(
        update={
            "tasks": ("sentiment", "classify", "severity"),
            "stages": (SHORT,),
            "optimisation": OPTIMISATION.model_copy(update={"weight_decay": 0.0}),
        }
    )
    model = run(checkpoint, tmp_path, config)
    assert_same_weights(model.heads["severity"], untrained(checkpoint, config).heads["severity"])


def encoded(
    checkpoint: Path,
    examples: Sequence[Example],
    repeat: float,
    config: TrainingConfig = CONFIG,
    rewritten: float = 0.0,
) -> EncodedSets:
    from transformers import AutoTokenizer

    stage = ONLY.model_copy(update={"repeat": {"tickets": repeat}, "rewritten": rewritten})
    splits: Splits = {"train": examples, "validation": [], "test": []}
    return EncodedSets(config, stage, AutoTokenizer.from_pretrained(checkpoint), "query: ", splits)


def test_a_source_that_the_stage_does_not_name_is_not_seen(checkpoint: Path) -> None:
    assert len(encoded(checkpoint, EXAMPLES, repeat=1).train) == sum(map(len, TICKETS.values()))


@pytest.mark.parametrize(("repeat", "low", "high"), [(0.5, 60, 140), (2, 400, 400), (2.5, 460, 540)])
def test_two_hundred_texts_are_seen_as_often_as_repeat_says(
    repeat: float, low: int, high: int, checkpoint: Path
) -> None:
    examples = [Example(str(number), f"闪退 {number}", "tickets", {"classify": "fault"}) for number in range(200)]
    assert low <= len(encoded(checkpoint, examples, repeat).train) <= high


@pytest.mark.parametrize(("rewritten", "low", "high"), [(0.0, 0, 0), (0.5, 8, 16), (1.0, 18, 30)])
def test_texts_seen_thirty_times_more_are_written_differently_as_often_as_configured(
    rewritten: float, low: int, high: int, checkpoint: Path
) -> None:
    plain = {tuple(row.input_ids) for row in encoded(checkpoint, EXAMPLES, 1).train}
    rows = encoded(checkpoint, EXAMPLES, 31, rewritten=rewritten).train
    assert len(rows) == 31 * 6
    assert low <= sum(tuple(row.input_ids) not in plain for row in rows) / 6 <= high


def test_a_row_holds_the_classes_of_all_tasks_in_order(checkpoint: Path) -> None:
    example = Example("1", "很卡", "tickets", {"classify": "question", "severity": "minor"}, {"speed": "negative"})
    config = CONFIG.model_copy(update={"tasks": ("sentiment", "classify", "severity", "aspects")})
    (row,) = encoded(checkpoint, [example], 1, config).train
    assert row.labels == [UNKNOWN, 2, 2, 0, 0, 0, 1, 0, 0, 0, 0]


def test_a_row_keeps_to_the_configured_number_of_tokens(checkpoint: Path) -> None:
    (row,) = encoded(checkpoint, [Example("1", "闪退" * 40, "tickets", {"classify": "fault"})], 1).train
    assert len(row.input_ids) == OPTIMISATION.max_tokens


def test_a_label_set_of_the_configuration_replaces_that_of_the_project() -> None:
    config = CONFIG.model_copy(update={"labels": {"classify": ("bug", "praise")}})
    assert label_sets(config) == {"sentiment": ("negative", "neutral", "positive"), "classify": ("bug", "praise")}


def test_a_text_within_the_limit_is_not_shortened() -> None:
    assert shorten([1, 2, 3, 4], 4) == [1, 2, 3, 4]


@pytest.mark.parametrize(("limit", "expected"), [(4, [0, 1, 8, 9]), (5, [0, 1, 2, 8, 9])], ids=["even", "odd"])
def test_a_long_text_keeps_its_head_and_its_tail(limit: int, expected: list[int]) -> None:
    assert shorten(list(range(10)), limit) == expected


def test_a_batch_is_padded_to_a_multiple_of_eight() -> None:
    batch = Collate(pad=1)([{"input_ids": [5] * 3, "labels": [2]}, {"input_ids": [6] * 9, "labels": [0]}])
    assert batch["input_ids"].tolist() == [[5] * 3 + [1] * 13, [6] * 9 + [1] * 7]


def test_padding_is_masked() -> None:
    batch = Collate(pad=1)([{"input_ids": [5, 6], "labels": [2]}])
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]]


def test_a_batch_keeps_the_classes_of_each_text() -> None:
    batch = Collate(pad=1)([{"input_ids": [5], "labels": [2, UNKNOWN]}, {"input_ids": [6], "labels": [UNKNOWN, 3]}])
    assert batch["labels"].tolist() == [[2, UNKNOWN], [UNKNOWN, 3]]
