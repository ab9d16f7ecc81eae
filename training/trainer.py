"""What every fine-tuning here shares: its settings, how it goes on after an interruption, how it is kept."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

LOGGING_STEPS = 20


def training_arguments(
    folder: Path,
    rows: int,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
    warmup_share: float,
    seed: int,
    save_steps: int,
    **more: Any,
) -> Any:
    """`TrainingArguments` for `rows` rows an epoch: linear decay after a warm-up, checkpoints under `folder`."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        num_train_epochs=epochs,
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        warmup_steps=int(total_steps(rows, batch_size, epochs) * warmup_share),
        lr_scheduler_type="linear",
        bf16=has_bf16(),
        use_cpu=not torch.cuda.is_available(),
        seed=seed,
        save_steps=save_steps,
        logging_steps=LOGGING_STEPS,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
        dataloader_pin_memory=False,
        **{"save_total_limit": 1, **more},
    )


def total_steps(rows: int, batch_size: int, epochs: int) -> int:
    """Optimiser steps of a training without early stopping."""
    return -(-rows // batch_size) * epochs


def run_to_the_end(trainer: Any, folder: Path) -> None:
    """Train, from the last checkpoint in `folder` where there is one; leaves ``log.json``."""
    trainer.train(resume_from_checkpoint=has_checkpoint(folder))
    (folder / "log.json").write_text(json.dumps(trainer.state.log_history, indent=1), encoding="utf-8")


def has_checkpoint(folder: Path) -> bool:
    """Whether there is one to go on from; deletes those whose writing was interrupted (the state is written last)."""
    complete = False
    for checkpoint in (folder / "checkpoints").glob("checkpoint-*"):
        if (checkpoint / "trainer_state.json").is_file():
            complete = True
        else:
            shutil.rmtree(checkpoint)
    return complete


def save_weights(weights: dict[str, Tensor], file: Path) -> None:
    """Write in one step, so that a file that exists is whole."""
    partial = file.with_suffix(".partial")
    torch.save(weights, partial)
    partial.rename(file)


def load_weights(module: nn.Module, file: Path) -> bool:
    """Take over weights that were saved; False when there are none."""
    if not file.is_file():
        return False
    module.load_state_dict(torch.load(file, weights_only=True))
    return True


def has_bf16() -> bool:
    """Whether this machine multiplies bfloat16 matrices in hardware; elsewhere training runs in float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
