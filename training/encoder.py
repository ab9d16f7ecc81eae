"""The trainable encoder: a transformer, mean pooling, one linear head for each task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_service.inference.encoder import merge, run_windows
from nlp_service.inference.session import Session
from nlp_service.inference.windows import Windower
from training.data.example import LABELS, Task


class MultiTaskEncoder(nn.Module):
    """Transformer with a linear head on the mean of the token states for each task.

    The batch mixes tasks: `task` holds each row's index into `tasks`, `labels` the class index within that task.
    """

    def __init__(self, transformer: nn.Module, tasks: Sequence[Task], hidden: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.transformer = transformer
        self.tasks = tuple(tasks)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({task: nn.Linear(hidden, len(LABELS[task])) for task in tasks})

    def pool(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Mean token state over the attention mask, shape (batch, hidden)."""
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return mean_pool(states, attention_mask)

    def head_weights(self, task: Task) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight (classes, hidden) and bias (classes,) of a task's head."""
        layer = cast(nn.Linear, self.heads[task])
        return layer.weight.detach().float().numpy(), layer.bias.detach().float().numpy()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, task: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Mean cross-entropy over the batch, each row against its own task's head."""
        pooled = self.dropout(self.pool(input_ids, attention_mask))
        loss = pooled.new_zeros(())
        for index, name in enumerate(self.tasks):
            rows = task == index
            if rows.any():
                logits = self.heads[name](pooled[rows]).float()
                loss = loss + nn.functional.cross_entropy(logits, labels[rows], reduction="sum")
        return {"loss": loss / len(labels)}


def mean_pool(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean of `states` (batch, tokens, hidden) where the mask (batch, tokens) is 1."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


def load_transformer(folder: Path) -> Any:
    """The transformer of a checkpoint, in float32, without the pooling layer."""
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, add_pooling_layer=False, dtype=torch.float32)


def load_with_weights(folder: Path, weights: Mapping[str, NDArray[np.float32]]) -> Any:
    """The transformer of a checkpoint with some of its weights replaced; raises KeyError for an unknown name."""
    transformer = load_transformer(folder)
    state = transformer.state_dict()
    for name, weight in weights.items():
        state[name].copy_(torch.from_numpy(weight))
    return transformer.eval()


class TorchSession:
    """Runs a transformer in PyTorch, float32, behind the interface that the service's runtime has."""

    def __init__(self, transformer: Any) -> None:
        self._transformer = transformer
        self.dimension = int(transformer.config.hidden_size)

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean token states, shape (batch, hidden)."""
        attention_mask = torch.from_numpy(mask)
        with torch.inference_mode():
            states = self._transformer(input_ids=torch.from_numpy(ids), attention_mask=attention_mask).last_hidden_state
            pooled: NDArray[np.float32] = mean_pool(states, attention_mask).numpy()
        return pooled


def encode(
    session: Session, windower: Windower, texts: Sequence[str], prefix: str, dimension: int
) -> NDArray[np.float32]:
    """Mean token states of each text, cut into windows and merged as the service does, shape (texts, dimension)."""
    windows = windower.windows(texts, prefix)
    return merge(windows, run_windows(session, windows, dimension), len(texts))
