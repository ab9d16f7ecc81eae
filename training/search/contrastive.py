"""Contrastive fine-tuning: texts that belong together move together, against all others of the batch.

InfoNCE (van den Oord et al. 2018) with hard negatives; what comes of it is blended with the plain encoder afterwards.
"""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from training.base.source import stored_fingerprint
from training.console import console
from training.encoder import load_transformer, mean_pool
from training.search.config import SearchConfig
from training.search.pairs import Triplet
from training.tokens import pad_batch, shorten
from training.trainer import load_weights, run_to_the_end, save_weights, total_steps, training_arguments

NO_GROUP = -1
WEIGHT_DECAY = 0.01


class ContrastiveEncoder(nn.Module):
    """A transformer whose batch is anchors, positives and negatives in one."""

    def __init__(self, transformer: nn.Module, temperature: float) -> None:
        super().__init__()
        self.transformer = transformer
        self._temperature = temperature

    def forward(self, input_ids: Tensor, attention_mask: Tensor, groups: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """InfoNCE. Rows are n anchors, their n positives, then negatives; `groups` (rows,), `labels` (n,)."""
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = nn.functional.normalize(mean_pool(states, attention_mask).float(), dim=-1)
        count = len(labels)
        scores = vectors[:count] @ vectors[count:].T / self._temperature
        own = torch.arange(count, device=scores.device)
        same = groups[:count, None] == groups[None, count:]
        same[own, own] = False
        return {"loss": nn.functional.cross_entropy(scores.masked_fill(same, float("-inf")), own)}


class Triplets(Dataset[dict[str, Any]]):
    """Token ids of triplets; the group as a number, and of each negative none."""

    def __init__(self, triplets: Sequence[Triplet], encode: Any) -> None:
        names = {group: number for number, group in enumerate(dict.fromkeys(one.group for one in triplets))}
        self._rows = [
            {
                "texts": [encode(text) for text in (one.anchor, one.positive, *one.negatives)],
                "group": names[one.group],
            }
            for one in triplets
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._rows[index]


class CollateTriplets:
    """Anchors, positives, then all negatives, padded into one batch.

    A negative of one anchor that is the positive of another has the group of the other, which it is no negative of.
    """

    def __init__(self, pad: int, negatives: int) -> None:
        self._pad = pad
        self._negatives = negatives

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        negatives = [text for row in rows for text in row["texts"][2 : 2 + self._negatives]]
        texts = [row["texts"][0] for row in rows] + [row["texts"][1] for row in rows] + negatives
        ids, mask = pad_batch(texts, self._pad)
        groups = [row["group"] for row in rows]
        positives = {tuple(row["texts"][1]): row["group"] for row in rows}
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "groups": torch.tensor(groups + groups + [positives.get(tuple(text), NO_GROUP) for text in negatives]),
            "labels": torch.arange(len(rows)),
        }


def train_search(config: SearchConfig, base: Path, triplets: Sequence[Triplet], work: Path) -> Any:
    """The fine-tuned transformer, on the CPU; resumes, and loads what is finished."""
    from transformers import AutoTokenizer, Trainer, set_seed

    set_seed(config.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    transformer = load_transformer(base)
    transformer.get_input_embeddings().weight.requires_grad_(False)
    folder = work / f"contrastive-{_key(config, base, triplets)}"
    finished = folder / "trained.pt"
    if load_weights(transformer, finished):
        return transformer.eval()
    shuffled = list(triplets)
    random.Random(config.seed).shuffle(shuffled)
    rows = Triplets(shuffled, lambda text: shorten(tokenizer(text)["input_ids"], config.max_tokens))
    arguments = training_arguments(
        folder,
        len(rows),
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=WEIGHT_DECAY,
        warmup_share=config.warmup_share,
        seed=config.seed,
        save_steps=config.save_steps,
    )
    model = ContrastiveEncoder(transformer, config.temperature)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=CollateTriplets(tokenizer.pad_token_id, config.negatives),
    )
    steps = total_steps(len(rows), config.batch_size, config.epochs)
    console.print(f"search: {len(rows):,} 组 · triplets, {steps:,} 步 · steps")
    run_to_the_end(trainer, folder)
    save_weights(transformer.cpu().state_dict(), finished)
    return transformer.eval()


def _key(config: SearchConfig, base: Path, triplets: Sequence[Triplet]) -> str:
    parts = [stored_fingerprint(base), config.model_dump_json(exclude={"gate", "pairs", "faq"})]
    parts += sorted(f"{one.anchor}\t{one.positive}\t{one.negatives}" for one in triplets)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
