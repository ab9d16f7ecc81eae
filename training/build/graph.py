"""From a PyTorch transformer to a quantised OpenVINO graph that returns mean token states."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlp_service.inference.attention import spell_out_attention
from nlp_service.inference.bundle import WHOLE
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.inference.padding import pad
from nlp_service.inference.windows import Windower
from training.build.lookups import look_up_codes
from training.encoder import mean_pool

SMOOTHED = 0.9
"""How much of the spread of activations is moved into the weights before ranges are fixed (SmoothQuant's alpha).

Of 0.8, 0.85, 0.9 and 0.95 the one whose vectors of the comparison texts stray least.
"""


class _Pooled(nn.Module):
    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self._transformer = transformer

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states = self._transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return mean_pool(states, attention_mask)


def to_graph(transformer: nn.Module) -> Any:
    """An `openvino.Model` with inputs `input_ids` and `attention_mask` (batch, tokens), output (batch, hidden)."""
    openvino = import_openvino()
    example = {name: torch.ones((2, 8), dtype=torch.long) for name in ("input_ids", "attention_mask")}
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return openvino.convert_model(_Pooled(transformer), example_input=example)


def fix_ranges(graph: Any, windower: Windower, texts: Sequence[str], prefix: str) -> Any:
    """The graph with weights and activations in 8 bits, ranges calibrated on `texts`."""
    openvino = import_openvino()
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    spell_out_attention(openvino, graph)
    inputs = [
        dict(zip(("input_ids", "attention_mask"), pad([window.ids]), strict=True))
        for window in windower.windows(texts, prefix)
    ]
    fixed = nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(types=["Gather"]),  # word embeddings, which `compress` packs as elsewhere
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=SMOOTHED)
        ),
    )
    packed = compress(fixed)
    look_up_codes(openvino, packed)
    return packed


def compress(graph: Any) -> Any:
    """The graph with weights in 8 bits; the runtime quantises activations as they come."""
    import_openvino()
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_ASYM)


def save_graph(graph: Any, folder: Path, name: str = WHOLE.graph) -> None:
    """Write graph and weights into `folder`."""
    openvino = import_openvino()
    openvino.save_model(graph, folder / name, compress_to_fp16=True)
