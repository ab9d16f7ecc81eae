"""From texts to pooled vectors without holding up the event loop, and explanations from the same pass."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_service.api.awaiting import awaited
from nlp_service.inference.batching import INTERACTIVE_TEXTS
from nlp_service.inference.bundle import Task
from nlp_service.inference.engine import Engine, Pooled
from nlp_service.inference.explanation import Influence, Part, influences, parts, without_each

HERE = 300
"""Characters of a few texts that are tokenised in the event loop, in a tenth of a millisecond: a thread would have to
be woken, and to get the interpreter and give it back, which takes longer and holds up the loop more often
(docs/decisions/0020)."""


@dataclass(frozen=True)
class Encoded:
    """Pooled vectors of the texts; with explanations, also of each text without each of its parts."""

    pooled: Pooled
    parts: list[list[Part]]
    occluded: Pooled

    def explain(self, engine: Engine, task: Task, labels: Sequence[str]) -> list[list[Influence]]:
        """For each text the influence of its parts on the label that it was given."""
        names = engine.model(task).labels
        whole = engine.probabilities(task, self.pooled)
        shortened = engine.probabilities(task, self.occluded) if sum(map(len, self.parts)) else whole[:0]
        explanations, first = [], 0
        for row, (own, label) in enumerate(zip(self.parts, labels, strict=True)):
            column = names.index(label)
            explanations.append(influences(own, float(whole[row, column]), shortened[first : first + len(own), column]))
            first += len(own)
        return explanations


async def encode(engine: Engine, texts: Sequence[str], tasks: Sequence[Task], *, explain: bool = False) -> Encoded:
    """One pass for each encoder that the tasks need; raises Overloaded when too much waits."""
    engine.check_room(len(texts), tasks)  # before anything is spent on what will be refused
    of = await asyncio.to_thread(lambda: [parts(text) for text in texts]) if explain else []
    shortened = [variant for text, own in zip(texts, of, strict=False) for variant in without_each(text, own)]
    encoded = [*texts, *shortened]
    if len(encoded) <= INTERACTIVE_TEXTS and sum(map(len, encoded)) <= HERE:
        passes = engine.submit(encoded, tasks)
    else:
        passes = await asyncio.to_thread(engine.submit, encoded, tasks)
    waiting = [awaited(future) for future in passes.values()]
    vectors = await asyncio.gather(*waiting) if len(waiting) > 1 else [await waiting[0]]
    both = dict(zip(passes, vectors, strict=True))
    count = len(texts)
    return Encoded(
        {name: np.asarray(rows[:count]) for name, rows in both.items()},
        of,
        {name: np.asarray(rows[count:]) for name, rows in both.items()},
    )
