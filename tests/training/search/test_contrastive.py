import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.base.source import VERIFIED
from training.encoder import load_transformer, mean_pool
from training.search.config import SearchConfig
from training.search.contrastive import CollateTriplets, ContrastiveEncoder, Triplets, train_search
from training.search.pairs import Triplet

TEMPERATURE = 0.1
CONFIG = SearchConfig(
    seed=1,
    data=Path(),
    knowledge=Path(),
    epochs=4,
    learning_rate=2e-3,
    warmup_share=0.1,
    batch_size=4,
    temperature=TEMPERATURE,
    negatives=1,
    max_tokens=16,
    save_steps=5,
    quantisation="dynamic",
)
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
MATTERS = {
    "fail": ("打开应用就闪退", "一直转圈卡死了", "登录失败报错"),
    "wish": ("希望增加深色模式", "能不能加个搜索", "希望支持批量导出"),
    "how": ("请问怎么修改密码", "在哪里看发票", "怎么看密码"),
    "good": ("很好用喜欢", "不错谢谢", "好用谢谢"),
}
TRIPLETS = [
    Triplet(texts[first], texts[second], ("太差难用后悔买",), group)
    for group, texts in MATTERS.items()
    for first in range(3)
    for second in range(3)
    if first != second
]
STEPS = 24  # 24 triplets in each of 4 epochs, 4 in a batch


def ids(text: str) -> list[int]:
    return [5 + ord(character) % 60 for character in text]


def batch(*triplets: Triplet, negatives: int = 2) -> dict[str, Tensor]:
    rows = Triplets(triplets, ids)
    return CollateTriplets(1, negatives)([rows[index] for index in range(len(rows))])


def texts_of(found: dict[str, Tensor]) -> list[list[int]]:
    masked = zip(found["input_ids"], found["attention_mask"], strict=True)
    return [row[mask == 1].tolist() for row, mask in masked]


def test_a_batch_is_all_anchors_then_all_positives_then_all_negatives() -> None:
    found = batch(Triplet("a", "b", ("c", "d"), "one"), Triplet("e", "f", ("g",), "two"))
    assert texts_of(found) == [ids(text) for text in "aebfcdg"]


def test_a_batch_has_as_many_negatives_of_each_anchor_as_configured() -> None:
    found = batch(Triplet("a", "b", ("c", "d"), "one"), Triplet("e", "f", ("g",), "two"), negatives=1)
    assert texts_of(found) == [ids(text) for text in "aebfcg"]


def test_anchor_and_positive_are_of_their_group_and_a_negative_of_none() -> None:
    found = batch(Triplet("a", "b", ("c",), "one"), Triplet("e", "f", (), "two"), Triplet("h", "i", (), "one"))
    assert found["groups"].tolist() == [0, 1, 0, 0, 1, 0, -1]


def test_a_negative_that_is_the_positive_of_another_anchor_is_of_the_group_of_the_other() -> None:
    found = batch(Triplet("a", "b", ("f",), "one"), Triplet("e", "f", ("c",), "two"))
    assert found["groups"].tolist() == [0, 1, 0, 1, 1, -1]


def encoder(checkpoint: Path) -> ContrastiveEncoder:
    return ContrastiveEncoder(load_transformer(checkpoint), TEMPERATURE).eval()


def scores(model: ContrastiveEncoder, found: dict[str, Tensor]) -> Tensor:
    """Cosines of the anchors with everything else of the batch, over the temperature."""
    states = model.transformer(input_ids=found["input_ids"], attention_mask=found["attention_mask"]).last_hidden_state
    vectors = nn.functional.normalize(mean_pool(states, found["attention_mask"]), dim=-1)
    count = len(found["labels"])
    return vectors[:count] @ vectors[count:].T / TEMPERATURE


def test_each_anchor_is_to_find_its_positive_among_all_positives_and_negatives(checkpoint: Path) -> None:
    model, found = encoder(checkpoint), batch(Triplet("ab", "abc", ("ax",), "one"), Triplet("ef", "fe", (), "two"))
    expected = nn.functional.cross_entropy(scores(model, found), torch.tensor([0, 1]))
    torch.testing.assert_close(model(**found)["loss"], expected)


def test_texts_of_one_group_are_no_negatives_of_each_other(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    found = batch(Triplet("ab", "abc", (), "one"), Triplet("ef", "fe", (), "two"), Triplet("ba", "cba", (), "one"))
    allowed = torch.tensor([[True, True, False], [True, True, True], [False, True, True]])
    expected = nn.functional.cross_entropy(scores(model, found).masked_fill(~allowed, -torch.inf), torch.arange(3))
    torch.testing.assert_close(model(**found)["loss"], expected)


def test_an_anchor_is_not_pushed_away_from_its_positive_where_it_is_a_negative_of_another(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    found = batch(Triplet("ab", "abc", ("fe",), "one"), Triplet("ef", "fe", (), "two"))
    allowed = torch.tensor([[True, True, True], [True, True, False]])
    expected = nn.functional.cross_entropy(scores(model, found).masked_fill(~allowed, -torch.inf), torch.arange(2))
    torch.testing.assert_close(model(**found)["loss"], expected)


class CountingCollate(CollateTriplets):
    """Counts the batches, and stops the run at one of them as a power cut would."""

    batches = 0
    last: int | None = None

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        CountingCollate.batches += 1
        if CountingCollate.batches == CountingCollate.last:
            raise KeyboardInterrupt
        return super().__call__(rows)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[CountingCollate]:
    monkeypatch.setattr(CountingCollate, "batches", 0)
    monkeypatch.setattr(CountingCollate, "last", None)
    monkeypatch.setattr("training.search.contrastive.CollateTriplets", CountingCollate)
    return CountingCollate


def run(checkpoint: Path, work: Path, triplets: list[Triplet] = TRIPLETS) -> dict[str, Tensor]:
    (checkpoint / VERIFIED).write_text("0" * 64, "ascii")
    weights: dict[str, Tensor] = train_search(CONFIG, checkpoint, triplets, work).state_dict()
    return weights


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def trained(checkpoint: Path, work: Path) -> dict[str, Tensor]:
    """The weights of a run without interruption, kept under `work`."""
    return run(checkpoint, work)


@pytest.fixture
def interrupted(checkpoint: Path, counting: type[CountingCollate], tmp_path: Path) -> Path:
    """The work folder of a run that stopped between its first checkpoint, at step 5, and its second."""
    counting.last = 8
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint, tmp_path)
    counting.last, counting.batches = None, 0
    return tmp_path


def assert_same_weights(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, msg=name)


def loss(model: ContrastiveEncoder, checkpoint: Path) -> float:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    rows = Triplets(TRIPLETS, lambda text: tokenizer(text)["input_ids"])
    with torch.inference_mode():
        return float(model(**CollateTriplets(1, 1)([rows[index] for index in range(len(rows))]))["loss"])


def test_training_brings_together_what_belongs_together(trained: dict[str, Tensor], checkpoint: Path) -> None:
    plain, tuned = encoder(checkpoint), encoder(checkpoint)
    tuned.transformer.load_state_dict(trained)
    assert loss(tuned, checkpoint) < 0.7 * loss(plain, checkpoint)


def test_word_embeddings_stay_as_they_are(trained: dict[str, Tensor], checkpoint: Path) -> None:
    assert torch.equal(trained[WORD_EMBEDDINGS], load_transformer(checkpoint).state_dict()[WORD_EMBEDDINGS])


def test_a_finished_run_is_loaded_without_training(
    trained: dict[str, Tensor], checkpoint: Path, work: Path, counting: type[CountingCollate]
) -> None:
    assert_same_weights(run(checkpoint, work), trained)
    assert counting.batches == 0


def test_an_interrupted_run_goes_on_from_its_checkpoint(
    interrupted: Path, checkpoint: Path, counting: type[CountingCollate]
) -> None:
    run(checkpoint, interrupted)
    assert counting.batches == STEPS - 5


def test_an_interrupted_run_ends_with_the_weights_of_one_without_interruption(
    interrupted: Path, checkpoint: Path, trained: dict[str, Tensor]
) -> None:
    assert_same_weights(run(checkpoint, interrupted), trained)


def test_a_checkpoint_whose_writing_was_interrupted_is_passed_over(
    interrupted: Path, checkpoint: Path, counting: type[CountingCollate]
) -> None:
    (complete,) = interrupted.rglob("checkpoint-5")
    shutil.copytree(complete, complete.with_name("checkpoint-10"))
    (complete.with_name("checkpoint-10") / "trainer_state.json").unlink()
    run(checkpoint, interrupted)
    assert counting.batches == STEPS - 5


@pytest.mark.usefixtures("trained")
def test_other_triplets_are_trained_anew(checkpoint: Path, work: Path, counting: type[CountingCollate]) -> None:
    run(checkpoint, work, TRIPLETS[:-1])
    assert counting.batches == STEPS
