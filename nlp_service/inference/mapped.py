"""Weights that stay in files: what the runtime has packed its own way, or seldom reads, need not lie in memory as well.

The runtime keeps the constants of a graph as long as the graph, beside the form that its kernels read. Mapped from a
file they are read again if they are ever needed, and take no memory until then.
"""

import mmap
import tempfile
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nlp_service.inference.bundle import GraphFiles

Number = TypeVar("Number", bound=np.generic)
LARGE = 1 << 24
"""Bytes from which a constant is a table of words, looked up and not packed."""


class Mapped:
    """The bytes of a file, of which only those in use lie in memory."""

    def __init__(self, file: "Path | IO[bytes]") -> None:
        """Raises OSError when the file cannot be read, ValueError when it is empty."""
        self.bytes: NDArray[np.uint8] = np.memmap(file, np.uint8, mode="c")

    def release(self) -> None:
        """Take no memory until the bytes are read again."""
        mapping: Any = self.bytes.base
        if hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)


def moved_to_file(arrays: Sequence[NDArray[Number]]) -> tuple[Mapped, list[NDArray[Number]]]:
    """Equal arrays, all of one type, in a file without a name in the temporary folder, which goes with the process.

    Raises OSError when the folder has no room for them.
    """
    with tempfile.TemporaryFile() as file:
        for array in arrays:
            file.write(np.ascontiguousarray(array).data)
        file.flush()
        mapped = Mapped(file)
    values = mapped.bytes.view(arrays[0].dtype)
    starts = np.cumsum([0, *(array.size for array in arrays)])
    return mapped, [
        values[start : start + array.size].reshape(array.shape) for start, array in zip(starts, arrays, strict=False)
    ]


def open_graph(openvino: ModuleType, core: Any, folder: Path, files: GraphFiles) -> tuple[Any, list[Mapped]]:
    """The `openvino.Model` of a graph of a bundle, by an `openvino.Core`, and the files that its constants lie in.

    Raises OSError when a file cannot be read.
    """
    weights = Mapped(folder / files.weights)
    model = core.read_model((folder / files.graph).read_bytes(), openvino.Tensor(weights.bytes, shared_memory=True))
    return model, [weights, *share_tables(openvino, model, weights)]


_looking = threading.Lock()
_tables: "weakref.WeakKeyDictionary[Mapped, list[NDArray[np.uint8]]]" = weakref.WeakKeyDictionary()


def share_tables(openvino: ModuleType, model: Any, weights: Mapped) -> list[Mapped]:
    """Let an `openvino.Model` read each of its large tables where an equal one is mapped already.

    Encoders that were trained from one base have equal word embeddings. Gives the files that it reads now beside
    `weights`, its own.
    """
    owners = []
    for node in model.get_ops():
        if node.get_type_name() != "Constant" or node.get_byte_size() < LARGE:
            continue
        values = node.get_data()
        start = values.ctypes.data - weights.bytes.ctypes.data
        found = _known(weights, weights.bytes[start : start + values.nbytes])
        if found is None:
            continue
        owner, known = found
        held = openvino.Tensor(known.view(values.dtype).reshape(values.shape), shared_memory=True)
        constant = openvino.op.Constant(held, shared_memory=True)
        for reader in node.output(0).get_target_inputs():
            reader.replace_source_output(constant.output(0))
        owners.append(owner)
    return owners


def _known(weights: Mapped, table: NDArray[np.uint8]) -> tuple[Mapped, NDArray[np.uint8]] | None:
    """The equal table that was mapped before, with its file; where there is none, this one of `weights` is known now.

    Of encoders that are opened at a time one is the first.
    """
    with _looking:
        for owner, tables in list(_tables.items()):
            for known in tables:
                if _equal(known, table):
                    return owner, known
        _tables.setdefault(weights, []).append(table)
    return None


def _equal(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> bool:
    """Compares piece by piece, as comparing all at once would take as much memory as a table does."""
    starts = range(0, left.size, LARGE)
    return left.size == right.size and all(
        np.array_equal(left[start : start + LARGE], right[start : start + LARGE]) for start in starts
    )
