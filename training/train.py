"""Fine-tune an encoder with all its heads on all labelled tasks together.

Word embeddings stay as they are: only a part of the vocabulary occurs in the labelled texts, and the change in git
stays small. Interrupted, the same command goes on from the last checkpoint.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from training.base.source import stored_fingerprint
from training.config import Architecture, Optimisation, Stage, TrainingConfig
from training.console import console
from training.data.example import LABELS, Example, Split, Task, targets
from training.data.split import fingerprint
from training.encoder import MultiTaskEncoder, load_transformer
from training.perturbation.augmentation import rewrite
from training.tokens import pad_batch, shorten
from training.trainer import (
    has_checkpoint,
    load_weights,
    run_to_the_end,
    save_weights,
    total_steps,
    training_arguments,
)

TRAINED_FILE = "trained.pt"


@dataclass(frozen=True)
class Encoded:
    """A text as token ids, and the class indexes of all tasks' outputs in order."""

    input_ids: list[int]
    labels: list[int]


class EncodedTexts(Dataset[dict[str, Any]]):
    """Token ids of the examples, each with `length` for bucketing."""

    def __init__(self, rows: Sequence[Encoded]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._rows[index]
        return {"input_ids": row.input_ids, "labels": row.labels, "length": len(row.input_ids)}


class Collate:
    """Pads a list of encoded texts into one batch."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        ids, mask = pad_batch([row["input_ids"] for row in rows], self._pad)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": torch.tensor([row["labels"] for row in rows]),
        }


def train(
    config: TrainingConfig, base: Path, prefix: str, splits: Mapping[Split, Sequence[Example]], work: Path
) -> MultiTaskEncoder:
    """Fine-tune stage by stage, checkpointing under `work`; returns the trained model on the CPU.

    A second call with the same arguments resumes; a finished stage is loaded without training. What was trained with
    other settings or data lies in another folder and is left alone.
    """
    from transformers import AutoTokenizer, set_seed

    set_seed(config.seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = MultiTaskEncoder.on(load_transformer(base), label_sets(config), config.architecture)
    for folder, stage in _stage_folders(config, base, prefix, splits, work):
        if load_weights(model, folder / TRAINED_FILE):
            continue
        sets = EncodedSets(config, stage, tokenizer, prefix, splits)
        set_seed(config.seed)  # what LoRA begins with must not hang on whether the last stage was trained or loaded
        adapted = open_for_tuning(model, config.architecture)
        _run_stage(config, stage, model, sets, folder)
        if adapted:
            model.transformer = cast(Any, model.transformer).merge_and_unload()
        save_weights(model.cpu().state_dict(), folder / TRAINED_FILE)
    return model.eval()


def label_sets(config: TrainingConfig) -> dict[Task, tuple[str, ...]]:
    """The labels of each task of the configuration."""
    return {task: config.labels.get(task, LABELS[task]) for task in config.tasks}


def open_for_tuning(model: MultiTaskEncoder, architecture: Architecture) -> bool:
    """Choose which weights learn; True when LoRA matrices were added, which `merge_and_unload` folds in again."""
    transformer: Any = model.transformer
    if architecture.tuning == "lora":
        from peft import LoraConfig, get_peft_model

        settings = LoraConfig(
            r=architecture.lora_rank, lora_alpha=2 * architecture.lora_rank, target_modules="all-linear"
        )
        model.transformer = get_peft_model(transformer, settings)
        return True
    transformer.requires_grad_(architecture.tuning != "frozen")
    if architecture.tuning == "top":
        transformer.embeddings.requires_grad_(False)
        for layer in transformer.encoder.layer[: -architecture.top_layers]:
            layer.requires_grad_(False)
    transformer.get_input_embeddings().weight.requires_grad_(False)
    return False


class EncodedSets:
    """What one stage trains on, and what it is stopped by; `pad` is the padding token."""

    def __init__(
        self,
        config: TrainingConfig,
        stage: Stage,
        tokenizer: Any,
        prefix: str,
        splits: Mapping[Split, Sequence[Example]],
    ) -> None:
        self.pad: int = tokenizer.pad_token_id
        self._sets = label_sets(config)
        self._encode: Callable[[str], list[int]] = lambda text: shorten(
            tokenizer(prefix + text)["input_ids"], config.optimisation.max_tokens
        )
        self.train = self._training_rows(stage, splits["train"], config.seed)
        self.validation = [self._row(example) for example in splits["validation"]] if stage.patience else []

    def _training_rows(self, stage: Stage, examples: Sequence[Example], seed: int) -> list[Encoded]:
        generator, rewriting = random.Random(seed), random.Random(seed)
        rows: list[Encoded] = []
        for example in examples:
            repeat = stage.repeat.get(example.source, 0.0)
            times = int(repeat) + (generator.random() < repeat % 1)
            for time in range(times):
                anew = time > 0 and rewriting.random() < stage.rewritten
                rows.append(self._row(replace(example, text=rewrite(example.text, rewriting)) if anew else example))
        generator.shuffle(rows)
        return rows

    def _row(self, example: Example) -> Encoded:
        labels = [index for task, names in self._sets.items() for index in targets(example, task, names)]
        return Encoded(self._encode(example.text), labels)


def _stage_folders(
    config: TrainingConfig, base: Path, prefix: str, splits: Mapping[Split, Sequence[Example]], work: Path
) -> Iterator[tuple[Path, Stage]]:
    """A folder for each stage, named by everything that decides what training gives."""
    parts = [stored_fingerprint(base), prefix]
    parts += [config.model_dump_json(include={"tasks", "labels", "seed", "optimisation", "architecture"})]
    for stage in config.stages:
        seen = [example for example in splits["train"] if example.source in stage.repeat]
        parts += [fingerprint(seen), stage.model_dump_json()]
        parts += [fingerprint(splits["validation"])] if stage.patience else []
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
        yield work / f"{stage.name}-{key}", stage


def _run_stage(config: TrainingConfig, stage: Stage, model: MultiTaskEncoder, sets: EncodedSets, folder: Path) -> None:
    from transformers import EarlyStoppingCallback, Trainer

    optimisation = config.optimisation
    stopping: dict[str, Any] = {
        "eval_strategy": "steps",
        "eval_steps": optimisation.save_steps,
        "per_device_eval_batch_size": 2 * optimisation.batch_size,
        "prediction_loss_only": True,
        "load_best_model_at_end": True,
        "save_total_limit": 2,
        "metric_for_best_model": "loss",
        "restore_callback_states_from_checkpoint": True,  # else a resumed run has its whole patience again
    }
    arguments = training_arguments(
        folder,
        len(sets.train),
        epochs=stage.epochs,
        batch_size=optimisation.batch_size,
        learning_rate=stage.learning_rate,
        weight_decay=optimisation.weight_decay,
        warmup_share=optimisation.warmup_share,
        seed=config.seed,
        save_steps=optimisation.save_steps,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        **(stopping if stage.patience else {}),
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=EncodedTexts(sets.train),
        eval_dataset=EncodedTexts(sets.validation) if stage.patience else None,
        data_collator=Collate(sets.pad),
        optimizers=(_optimiser(model, stage.learning_rate, optimisation), None),
        callbacks=[EarlyStoppingCallback(stage.patience)] if stage.patience else [],
    )
    steps = total_steps(len(sets.train), optimisation.batch_size, stage.epochs)
    note = " · 继续 · resuming" if has_checkpoint(folder) else ""
    console.print(f"{stage.name}: {len(sets.train):,} 条 · texts an epoch, {steps:,} 步 · steps{note}")
    run_to_the_end(trainer, folder)


def _optimiser(model: MultiTaskEncoder, learning_rate: float, settings: Optimisation) -> torch.optim.Optimizer:
    """AdamW; the heads have their own rate, biases and layer norms do not decay."""
    learning = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    heads = [weight for name, weight in learning if name.startswith("heads.")]
    matrices = [weight for name, weight in learning if not name.startswith("heads.") and weight.ndim > 1]
    vectors = [weight for name, weight in learning if not name.startswith("heads.") and weight.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": heads, "lr": settings.head_learning_rate, "weight_decay": settings.weight_decay},
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=learning_rate,
    )
