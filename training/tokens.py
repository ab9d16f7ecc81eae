"""Token ids as training batches them."""

from collections.abc import Sequence

import torch
from torch import Tensor

PAD_MULTIPLE = 8


def pad_batch(texts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, shape (texts, tokens), the width a multiple of 8."""
    width = -(-max(map(len, texts)) // PAD_MULTIPLE) * PAD_MULTIPLE
    ids = torch.full((len(texts), width), pad)
    mask = torch.zeros((len(texts), width), dtype=torch.long)
    for index, text in enumerate(texts):
        ids[index, : len(text)] = torch.tensor(text)
        mask[index, : len(text)] = 1
    return ids, mask


def shorten(ids: list[int], limit: int) -> list[int]:
    """Keep the head and the tail of a long text: the point of a long mail is often in its last line."""
    if len(ids) <= limit:
        return ids
    tail = limit // 2
    return ids[: limit - tail] + ids[-tail:]
