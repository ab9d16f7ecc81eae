"""A shallower encoder in the place of the fine-tuned one, trained to give what that one gives; the heads stay.

It learns every token's last state, the pooled vector, what the heads say of it (distillation, Hinton et al. 2015) and,
a little, the labels. docs/decisions/0025 has what that costs and gains.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.base.source import fingerprint
from training.config import Student, TrainingConfig
from training.data.example import UNKNOWN, Example, Split
from training.data.split import fingerprint as data_fingerprint
from training.distillation import distil
from training.encoder import MultiTaskEncoder, mean_pool, weights_of
from training.perturbation.pieces import pieces
from training.shallow import shallow
from training.tokens import pad_batch
from training.train import Encoded, EncodedSets
from training.trainer import has_bf16, load_weights, save_weights

POOLED, ANSWERS, LABELS = 3.0, 2.0, 0.3
"""Weights of the losses beside that of the tokens' states."""
PROBED = 512
"""Texts that tell how far the teacher's states spread."""
SMALLEST_SPREAD = 1e-3
PIECES = "pieces"
"""Their source."""


def train_student(
    config: TrainingConfig,
    student: Student,
    base: Path,
    prefix: str,
    model: MultiTaskEncoder,
    splits: Mapping[Split, Sequence[Example]],
    work: Path,
) -> MultiTaskEncoder:
    """`model`, as trained, with fewer layers, to evaluate with; loads what is finished under `work`."""
    from transformers import AutoTokenizer

    torch.manual_seed(config.seed)
    learner = MultiTaskEncoder(shallow(model.transformer, student.layers), model.heads, config.architecture)
    finished = work / f"{student.name}-{_key(config, student, model, splits)}.pt"
    if load_weights(learner, finished):
        return learner.eval()
    rows = _rows(config, student, AutoTokenizer.from_pretrained(base), prefix, splits)
    losses = _Losses(config, model, learner, rows)
    ids = [row.input_ids for row in rows]
    distil(student, config.seed, learner.transformer, ids, losses.of, "较浅的编码器 · shallower encoder")
    work.mkdir(parents=True, exist_ok=True)
    save_weights(learner.state_dict(), finished)
    return learner.eval()


def _rows(
    config: TrainingConfig, student: Student, tokenizer: Any, prefix: str, splits: Mapping[Split, Sequence[Example]]
) -> list[Encoded]:
    generator = random.Random(config.seed)
    texts = list(splits["train"])
    for source, times in student.pieces.items():
        of_source = [example.text for example in splits["train"] if example.source == source]
        texts += [Example(piece, piece, PIECES) for piece in pieces(of_source, times, generator)]
    seen = student.model_copy(update={"repeat": {**student.repeat, PIECES: 1.0}})
    return EncodedSets(config, seen, tokenizer, prefix, {**splits, "train": texts}).train


class _Losses:
    def __init__(
        self, config: TrainingConfig, teacher: MultiTaskEncoder, learner: MultiTaskEncoder, rows: Sequence[Encoded]
    ) -> None:
        self._teacher, self._learner, self._rows = teacher.eval(), learner, rows
        self._weights = config.architecture.task_weights
        self._pad: int = teacher.transformer.config.pad_token_id  # type: ignore[union-attr, assignment]
        for parameter in teacher.heads.parameters():
            parameter.requires_grad_(False)
        ids, mask = pad_batch([row.input_ids for row in rows[:PROBED]], self._pad)
        states = self._states(self._teacher, ids, mask)
        self._token_spread = states[mask.bool()].std(0) + SMALLEST_SPREAD
        self._pooled_spread = mean_pool(states, mask).std(0) + SMALLEST_SPREAD

    def of(self, batch: list[int]) -> Tensor:
        """Of the texts with these numbers."""
        ids, mask = pad_batch([self._rows[row].input_ids for row in batch], self._pad)
        labels = torch.tensor([self._rows[row].labels for row in batch])
        found, wanted = self._states(self._learner, ids, mask), self._states(self._teacher, ids, mask)
        tokens = (((found - wanted) / self._token_spread).square().mean(-1) * mask).sum() / mask.sum()
        vectors = ((mean_pool(found - wanted, mask)) / self._pooled_spread).square().mean()
        return tokens + POOLED * vectors + self._of_heads(found, wanted, mask, labels)

    def _of_heads(self, found: Tensor, wanted: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        loss, column = torch.zeros(()), 0
        for task in self._teacher.tasks:
            head, weight = self._teacher.heads[task], self._weights.get(task, 1.0)
            said, right = (head(states, mask, nn.Identity()).log_softmax(-1) for states in (found, wanted))
            truth = labels[:, column : column + said.shape[1]]
            column += said.shape[1]
            apart = nn.functional.kl_div(said, right, reduction="none", log_target=True).sum(-1).mean()
            missed = nn.functional.nll_loss(said.flatten(0, 1), truth.flatten(), reduction="sum", ignore_index=UNKNOWN)
            loss = loss + weight * (ANSWERS * apart + LABELS * missed / truth.numel())
        return loss

    def _states(self, model: MultiTaskEncoder, ids: Tensor, mask: Tensor) -> Tensor:
        with (
            torch.set_grad_enabled(model is self._learner),
            torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()),
        ):
            states: Tensor = model.transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        return states.float()


def _key(
    config: TrainingConfig, student: Student, model: MultiTaskEncoder, splits: Mapping[Split, Sequence[Example]]
) -> str:
    seen = [example for example in splits["train"] if example.source in {*student.repeat, *student.pieces}]
    parts: list[Any] = [
        config.model_dump_json(include={"tasks", "labels", "seed", "optimisation", "architecture"}),
        student.model_dump_json(),
        fingerprint(weights_of(model)),
        data_fingerprint(seen),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
