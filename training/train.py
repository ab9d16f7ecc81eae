"""Fine-tune an encoder with all its heads on all labelled tasks together.

Word embeddings stay as they are: only a part of the vocabulary occurs in the labelled texts, and the change in git
stays small. Interrupted, the same command goes on from the last checkpoint.
"""

import hashlib
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.base.source import stored_fingerprint
from training.config import Stage, TrainingConfig
from training.console import console
from training.data.example import LABELS, Example
from training.data.split import fingerprint
from training.encoder import MultiTaskEncoder, load_transformer

PAD_MULTIPLE = 8


@dataclass(frozen=True)
class Encoded:
    """A text as token ids, its task's index and its class index."""

    input_ids: list[int]
    task: int
    label: int


class EncodedTexts(Dataset[dict[str, Any]]):
    """Token ids of the examples, each with `length` for bucketing."""

    def __init__(self, rows: Sequence[Encoded]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._rows[index]
        return {"input_ids": row.input_ids, "task": row.task, "labels": row.label, "length": len(row.input_ids)}


class Collate:
    """Pads a list of encoded texts into one batch."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        width = max(len(row["input_ids"]) for row in rows)
        width = -(-width // PAD_MULTIPLE) * PAD_MULTIPLE
        ids = torch.full((len(rows), width), self._pad)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for index, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[index, :length] = torch.tensor(row["input_ids"])
            mask[index, :length] = 1
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "task": torch.tensor([row["task"] for row in rows]),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }


def train(config: TrainingConfig, base: Path, prefix: str, examples: Sequence[Example], work: Path) -> MultiTaskEncoder:
    """Fine-tune on `examples`, stage by stage, checkpointing under `work`; returns the trained model on the CPU.

    A second call with the same arguments resumes; a finished stage is loaded without training. What was trained with
    other settings or data lies in another folder and is left alone.
    """
    from transformers import AutoTokenizer, set_seed

    set_seed(config.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    transformer = load_transformer(base)
    model = MultiTaskEncoder(transformer, config.tasks, transformer.config.hidden_size)
    transformer.get_input_embeddings().weight.requires_grad_(False)
    for folder, stage in _stage_folders(config, base, prefix, examples, work):
        finished = folder / "trained.pt"
        if finished.is_file():
            model.load_state_dict(torch.load(finished, weights_only=True))
            continue
        rows = _encode(config, stage, tokenizer, prefix, examples)
        _run_stage(config, stage, model, rows, tokenizer.pad_token_id, folder)
        partial = folder / "trained.partial"
        torch.save(model.cpu().state_dict(), partial)
        partial.rename(finished)
    return model.eval()


def _stage_folders(
    config: TrainingConfig, base: Path, prefix: str, examples: Sequence[Example], work: Path
) -> Iterator[tuple[Path, Stage]]:
    """A folder for each stage, named by everything that decides what training gives."""
    parts = [fingerprint(examples), stored_fingerprint(base), prefix]
    parts += [config.model_dump_json(include={"tasks", "seed", "optimisation"})]
    for stage in config.stages:
        parts.append(stage.model_dump_json())
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
        yield work / f"{stage.name}-{key}", stage


def _run_stage(
    config: TrainingConfig, stage: Stage, model: MultiTaskEncoder, rows: Sequence[Encoded], pad: int, folder: Path
) -> None:
    from transformers import Trainer, TrainingArguments

    optimisation = config.optimisation
    steps = -(-len(rows) // optimisation.batch_size) * stage.epochs
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        num_train_epochs=stage.epochs,
        per_device_train_batch_size=optimisation.batch_size,
        learning_rate=stage.learning_rate,
        weight_decay=optimisation.weight_decay,
        warmup_steps=int(steps * optimisation.warmup_share),
        lr_scheduler_type="linear",
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        seed=config.seed,
        save_steps=optimisation.save_steps,
        save_total_limit=1,
        logging_steps=20,
        remove_unused_columns=False,
        report_to=[],
        dataloader_pin_memory=False,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=EncodedTexts(rows), data_collator=Collate(pad))
    resume = _drop_unfinished(folder / "checkpoints")
    note = " · 继续 · resuming" if resume else ""
    console.print(f"{stage.name}: {len(rows):,} 条 · texts an epoch, {steps:,} 步 · steps{note}")
    trainer.train(resume_from_checkpoint=resume)
    (folder / "log.json").write_text(json.dumps(trainer.state.log_history, indent=1), encoding="utf-8")


def _drop_unfinished(checkpoints: Path) -> bool:
    """Delete checkpoints whose writing was interrupted; the state is written last. True when one is left."""
    complete = False
    for checkpoint in checkpoints.glob("checkpoint-*"):
        if (checkpoint / "trainer_state.json").is_file():
            complete = True
        else:
            shutil.rmtree(checkpoint)
    return complete


def _encode(
    config: TrainingConfig, stage: Stage, tokenizer: Any, prefix: str, examples: Sequence[Example]
) -> list[Encoded]:
    rows: list[Encoded] = []
    generator = random.Random(config.seed)
    for example in examples:
        repeat = stage.repeat.get(example.source, 0.0)
        times = int(repeat) + (generator.random() < repeat % 1)
        ids = shorten(tokenizer(prefix + example.text)["input_ids"], config.optimisation.max_tokens)
        row = Encoded(ids, config.tasks.index(example.task), LABELS[example.task].index(example.label))
        rows.extend([row] * times)
    generator.shuffle(rows)
    return rows


def shorten(ids: list[int], limit: int) -> list[int]:
    """Keep the head and the tail of a long text: the point of a long mail is often in its last line."""
    if len(ids) <= limit:
        return ids
    tail = limit // 2
    return ids[: limit - tail] + ids[-tail:]
