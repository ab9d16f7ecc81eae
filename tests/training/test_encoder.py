from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training.config import Architecture
from training.data.example import LABELS, UNKNOWN, Task
from training.encoder import AttentionHead, MultiTaskEncoder, load_transformer, mean_pool

IDS, MASK = torch.tensor([[0, 7, 8, 9, 2], [0, 9, 2, 1, 1]]), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
NOBODY = [UNKNOWN] * 11
SENTIMENT, CLASSIFY = [2, *NOBODY[1:]], [UNKNOWN, 3, *NOBODY[2:]]
ASPECTS = [*NOBODY[:3], 0, 1, 2, 3, 0, 0, 0, 1]
each_loss = pytest.mark.parametrize("loss", ["softmax", "binary"])


def encoder(checkpoint: Path, **architecture: Any) -> MultiTaskEncoder:
    """Untrained, with heads for all tasks and without dropout; the same weights for the same architecture."""
    torch.manual_seed(1)
    return MultiTaskEncoder.on(load_transformer(checkpoint), LABELS, Architecture(**architecture)).eval()


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_text_has_an_answer_for_each_task_and_eight_for_aspects(pooling: str, checkpoint: Path) -> None:
    logits = encoder(checkpoint, pooling=pooling).logits(IDS, MASK)
    assert {task: tuple(answers.shape) for task, answers in logits.items()} == {
        "sentiment": (2, 1, 3),
        "classify": (2, 1, 4),
        "severity": (2, 1, 3),
        "aspects": (2, 8, 4),
    }


def test_the_weights_of_a_head_on_mean_states_give_its_logits(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    weight, bias = (torch.from_numpy(part) for part in model.head_weights("aspects"))
    with torch.inference_mode():
        pooled = mean_pool(model.transformer(input_ids=IDS, attention_mask=MASK).last_hidden_state, MASK)
        torch.testing.assert_close((pooled @ weight.T + bias).reshape(2, 8, 4), model.logits(IDS, MASK)["aspects"])


def loss_of(model: MultiTaskEncoder, *labels: list[int]) -> Tensor:
    rows = [index % 2 for index in range(len(labels))]
    loss: Tensor = model(IDS[rows], MASK[rows], torch.tensor(labels))["loss"]
    return loss


@each_loss
def test_a_text_without_a_label_for_a_task_does_not_pull_at_its_head(loss: str, checkpoint: Path) -> None:
    model = encoder(checkpoint, loss=loss)
    names, weights = zip(*model.heads.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss_of(model, SENTIMENT, ASPECTS), weights)
    pulled = {name.split(".")[0] for name, gradient in zip(names, gradients, strict=True) if gradient.any()}
    assert pulled == {"sentiment", "aspects"}


@each_loss
def test_the_loss_of_a_batch_is_the_mean_over_its_texts(loss: str, checkpoint: Path) -> None:
    model = encoder(checkpoint, loss=loss)
    alone = loss_of(model, SENTIMENT) + loss_of(model, NOBODY, ASPECTS) * 2
    torch.testing.assert_close(loss_of(model, SENTIMENT, ASPECTS), alone / 2)


def test_the_columns_of_a_task_follow_those_of_the_tasks_before_it(checkpoint: Path) -> None:
    aspects_first: dict[Task, tuple[str, ...]] = {"aspects": LABELS["aspects"], "sentiment": LABELS["sentiment"]}
    model = MultiTaskEncoder.on(load_transformer(checkpoint), aspects_first, Architecture()).eval()
    wanted = nn.functional.cross_entropy(model.logits(IDS[:1], MASK[:1])["sentiment"][0], torch.tensor([2]))
    torch.testing.assert_close(loss_of(model, [*[UNKNOWN] * 8, 2]), wanted)


def test_the_softmax_loss_of_aspects_is_averaged_over_its_outputs(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    logits = model.logits(IDS[:1], MASK[:1])["aspects"][0]
    wanted = nn.functional.cross_entropy(logits, torch.tensor(ASPECTS[3:]))
    torch.testing.assert_close(loss_of(model, ASPECTS), wanted)


def test_the_binary_loss_asks_yes_or_no_for_each_class(checkpoint: Path) -> None:
    model = encoder(checkpoint, loss="binary")
    logits = model.logits(IDS[:1], MASK[:1])["sentiment"][0, 0]
    wanted = nn.functional.softplus(torch.stack([logits[0], logits[1], -logits[2]])).sum()
    torch.testing.assert_close(loss_of(model, SENTIMENT), wanted)


def test_the_loss_of_a_task_counts_as_much_as_its_weight(checkpoint: Path) -> None:
    plain, weighted = encoder(checkpoint), encoder(checkpoint, task_weights={"classify": 3.0})
    torch.testing.assert_close(loss_of(weighted, CLASSIFY), loss_of(plain, CLASSIFY) * 3)
    torch.testing.assert_close(loss_of(weighted, SENTIMENT), loss_of(plain, SENTIMENT))


def test_attention_begins_as_the_mean_of_the_states_that_are_no_padding() -> None:
    torch.manual_seed(3)
    head, states = AttentionHead(hidden=6, outputs=2, labels=3), torch.randn(2, 5, 6)
    wanted = torch.einsum("bh,olh->bol", mean_pool(states, MASK), head.weight)
    torch.testing.assert_close(head(states, MASK, nn.Identity()), wanted)


def test_attention_weighs_the_states_that_resemble_its_query_more() -> None:
    head = AttentionHead(hidden=2, outputs=1, labels=2)
    with torch.no_grad():
        head.query.copy_(torch.tensor([[100.0, 0.0]]))
        head.weight.copy_(torch.eye(2).unsqueeze(0))
    logits = head(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), torch.ones(1, 2), nn.Identity())
    torch.testing.assert_close(logits, torch.tensor([[[1.0, 0.0]]]))
