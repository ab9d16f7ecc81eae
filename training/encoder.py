"""The trainable encoder: a transformer with a head for each task."""

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
from training.config import Architecture
from training.data.example import OUTPUTS, UNKNOWN, Task

DROPOUT = 0.1


class MultiTaskEncoder(nn.Module):
    """Transformer with a head for each task, all read from one pass.

    A batch mixes texts that are labelled for different tasks: `labels`, shape (batch, outputs of all tasks in order),
    holds class indexes, and `UNKNOWN` where nobody labelled.
    """

    def __init__(self, transformer: nn.Module, heads: nn.ModuleDict, architecture: Architecture) -> None:
        super().__init__()
        self.transformer = transformer
        self.heads = heads
        self.dropout = nn.Dropout(DROPOUT)
        self._architecture = architecture

    @classmethod
    def on(
        cls, transformer: Any, label_sets: Mapping[Task, tuple[str, ...]], architecture: Architecture
    ) -> "MultiTaskEncoder":
        """With untrained heads for the tasks of `label_sets`."""
        hidden = transformer.config.hidden_size
        head = AttentionHead if architecture.pooling == "attention" else MeanHead
        heads: dict[str, nn.Module] = {
            task: head(hidden, OUTPUTS[task], len(labels)) for task, labels in label_sets.items()
        }
        return cls(transformer, nn.ModuleDict(heads), architecture)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """In the order of the columns of `labels`."""
        return cast(tuple[Task, ...], tuple(self.heads))

    def logits(self, input_ids: Tensor, attention_mask: Tensor) -> dict[Task, Tensor]:
        """Logits of each task, shape (batch, outputs, labels)."""
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return {task: self.heads[task](states, attention_mask, self.dropout).float() for task in self.tasks}

    def head_weights(self, task: Task) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weight (outputs × labels, hidden) and bias (outputs × labels,) of a task's head on mean token states."""
        layer = cast(MeanHead, self.heads[task]).linear
        return layer.weight.detach().float().numpy(), layer.bias.detach().float().numpy()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Loss of the batch: for each text the tasks that it is labelled for, each averaged over its outputs."""
        loss = torch.zeros((), device=labels.device)
        column = 0
        for task, logits in self.logits(input_ids, attention_mask).items():
            outputs = logits.shape[1]
            truth = labels[:, column : column + outputs]
            column += outputs
            weight = self._architecture.task_weights.get(task, 1.0)
            loss = loss + weight * self._loss(logits, truth) / (outputs * len(labels))
        return {"loss": loss}

    def _loss(self, logits: Tensor, truth: Tensor) -> Tensor:
        flat, classes = logits.flatten(0, 1), truth.flatten()
        if self._architecture.loss == "softmax":
            return nn.functional.cross_entropy(flat, classes, reduction="sum", ignore_index=UNKNOWN)
        known = classes != UNKNOWN
        wanted = nn.functional.one_hot(classes[known], flat.shape[1]).float()
        return nn.functional.binary_cross_entropy_with_logits(flat[known], wanted, reduction="sum")


class MeanHead(nn.Module):
    """Linear layer on the mean of the token states."""

    def __init__(self, hidden: int, outputs: int, labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, outputs * labels)
        self._shape = (outputs, labels)

    def forward(self, states: Tensor, attention_mask: Tensor, dropout: nn.Module) -> Tensor:
        """Logits, shape (batch, outputs, labels)."""
        logits: Tensor = self.linear(dropout(mean_pool(states, attention_mask)))
        return logits.reshape(-1, *self._shape)


class AttentionHead(nn.Module):
    """A learned weighting of the token states for each output, then a linear layer of its own.

    Measured against `MeanHead` (docs/decisions/0009) and not exported: the runtime graph gives mean states.
    """

    def __init__(self, hidden: int, outputs: int, labels: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(outputs, hidden))
        self.weight = nn.Parameter(torch.empty(outputs, labels, hidden).uniform_(-(hidden**-0.5), hidden**-0.5))
        self.bias = nn.Parameter(torch.zeros(outputs, labels))

    def forward(self, states: Tensor, attention_mask: Tensor, dropout: nn.Module) -> Tensor:
        """Logits, shape (batch, outputs, labels)."""
        scores = torch.einsum("bth,oh->bot", states, self.query.to(states.dtype)) * states.shape[-1] ** -0.5
        scores = scores.masked_fill(attention_mask.unsqueeze(1) == 0, float("-inf"))
        pooled = dropout(torch.einsum("bot,bth->boh", scores.softmax(-1), states))
        return torch.einsum("boh,olh->bol", pooled, self.weight.to(pooled.dtype)) + self.bias


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
    return with_weights(load_transformer(folder), weights)


def with_weights(transformer: Any, weights: Mapping[str, NDArray[np.float32]]) -> Any:
    """The transformer itself, to evaluate with, some of its weights replaced; raises KeyError for an unknown name."""
    state = transformer.state_dict()
    for name, weight in weights.items():
        state[name].copy_(torch.from_numpy(weight))
    return transformer.eval()


def weights_of(transformer: Any) -> dict[str, NDArray[np.float32]]:
    """Weights by name, as `with_weights` takes them."""
    state = transformer.state_dict().items()
    return {name: tensor.detach().float().numpy() for name, tensor in state if tensor.is_floating_point()}


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
