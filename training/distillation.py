"""What the training of every student shares: batches of like lengths, the optimiser, its schedule.

A student has some layers of its teacher and learns to give what the teacher gives; word embeddings stay as they are.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from rich.progress import Progress
from torch import Tensor, nn

from training.console import console

WARM_UP, LAST = 0.06, 0.02
"""Share of the steps until the learning rate is reached, and the share of it that is left at the end."""
SORTED_TOGETHER = 4096
"""Texts of one length come from so many."""


class Schedule(Protocol):
    """The settings that a configuration has for its student."""

    @property
    def epochs(self) -> float:
        """May end within one."""
        ...

    @property
    def learning_rate(self) -> float:
        """The highest."""
        ...

    @property
    def batch_tokens(self) -> int:
        """With padding, at most."""
        ...


def distil(
    schedule: Schedule,
    seed: int,
    student: Any,
    rows: Sequence[list[int]],
    loss: Callable[[list[int]], Tensor],
    title: str,
) -> None:
    """Train `student`; `loss` is that of some of `rows`, token ids, by their numbers."""
    generator = random.Random(seed)
    student.set_attn_implementation("eager")  # the fused one is several times slower backwards on a processor
    _without_dropout(student.train())
    student.get_input_embeddings().weight.requires_grad_(False)
    trained = [parameter for parameter in student.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=schedule.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    total = int(len(list(batches(rows, schedule.batch_tokens, generator))) * schedule.epochs)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, step / (WARM_UP * total)) * max(LAST, 1 - step / total)
    )
    done = 0
    with Progress(console=console) as bar:
        task = bar.add_task(title, total=total)
        while done < total:
            for batch in batches(rows, schedule.batch_tokens, generator):
                loss(batch).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(trained, 1.0)
                optimiser.step()
                rate.step()
                optimiser.zero_grad()
                done += 1
                bar.update(task, completed=done)
                if done == total:
                    break


def batches(rows: Sequence[Sequence[int]], tokens: int, generator: random.Random) -> Iterator[list[int]]:
    """Every row once, rows of similar length together, at most so many padded tokens in a batch, in a random order."""
    order = list(range(len(rows)))
    generator.shuffle(order)
    made: list[list[int]] = []
    for start in range(0, len(order), SORTED_TOGETHER):
        current: list[int] = []
        for row in sorted(order[start : start + SORTED_TOGETHER], key=lambda row: len(rows[row])):
            if current and (len(current) + 1) * len(rows[row]) > tokens:
                made.append(current)
                current = []
            current.append(row)
        made.append(current)
    generator.shuffle(made)
    yield from made


def _without_dropout(transformer: Any) -> None:
    for module in transformer.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
