"""Reading the files of a saved index, with errors that say which file is wrong."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import DTypeLike, NDArray

from nlp_service.errors import IndexDamaged


def read_index(file: Path, kinds: type | tuple[type, ...], dimension: int) -> Any:
    """Open a FAISS index of these kinds, mapped into memory where FAISS can; raises IndexDamaged."""
    try:
        index = faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        reason = str(error).rsplit("failed: ", maxsplit=1)[-1].strip()
        raise IndexDamaged(f"{file}: 缺少或不完整 · missing or incomplete: {reason}") from error
    if not isinstance(index, kinds) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise IndexDamaged(f"{file}: 不是这种索引 · another kind of index: {type(index).__name__}")
    if index.d != dimension:
        raise IndexDamaged(f"{file}: 维数不符 · dimension {index.d}, but {dimension} is needed")
    return index


def load_array(file: Path, dtype: DTypeLike, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Map an array of this type and shape, None for any length, into memory; raises IndexDamaged."""
    try:
        array: NDArray[Any] = np.lib.format.open_memmap(file, mode="r")
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"{file}: 缺少或不完整 · missing or incomplete: {error}") from error
    fits = len(array.shape) == len(shape) and all(
        want in (None, got) for got, want in zip(array.shape, shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise IndexDamaged(f"{file}: 形状不符 · {array.dtype} of shape {array.shape}, but {dtype} of {shape} is needed")
    return array
