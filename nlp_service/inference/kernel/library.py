"""The compiled library, and its structures as `forward.h` has them."""

import ctypes
from functools import cache
from importlib.util import find_spec
from typing import Any

HEAD = 32
"""Numbers of a query, key or value in one head of attention."""
COLUMNS = 64
"""Outputs of a matrix whose codes lie together: sizes of layers are multiples of it."""
KINDS = ("word embeddings", "matrices", "attention", "norms and codes")
"""What time is counted for."""


class Linear(ctypes.Structure):
    """A matrix in 8 bits, with a scale and a zero point for each output."""

    _fields_ = (
        ("inputs", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("codes", "scale", "zero", "sums", "bias")),
    )


class Norm(ctypes.Structure):
    """What a layer norm multiplies by and adds."""

    _fields_ = (("gain", ctypes.c_void_p), ("shift", ctypes.c_void_p))


class Layer(ctypes.Structure):
    """A layer of a transformer; `attention` are queries, keys and values in one matrix."""

    _fields_ = (
        ("attention", Linear),
        ("projection", Linear),
        ("after_attention", Norm),
        ("up", Linear),
        ("down", Linear),
        ("after_feed", Norm),
    )


class Model(ctypes.Structure):
    """All weights of an encoder."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("hidden", "feed", "layers", "halves")),
        ("epsilon", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("words", "word_scale", "word_zero", "places")),
        ("embedded", Norm),
        ("layer", ctypes.POINTER(Layer)),
    )


@cache
def library() -> Any:
    """The library; None where it was not compiled, or the processor lacks what it needs (AVX-512 VNNI)."""
    spec = find_spec("nlp_service.inference.kernel._forward")
    if spec is None or spec.origin is None:
        return None
    try:
        loaded: Any = ctypes.CDLL(spec.origin)
        of_this_version = loaded.forward_layout() == ctypes.sizeof(Model) + ctypes.sizeof(Layer) * 1000
        if not of_this_version or not loaded.forward_supported():
            return None
        _declare(loaded)
    except (OSError, AttributeError):  # of another version, compiled before
        return None
    return loaded


def _declare(loaded: Any) -> None:
    """Give the library its functions; raises AttributeError when it lacks one."""
    pointer, number = ctypes.c_void_p, ctypes.c_int
    batch = (pointer, ctypes.POINTER(Model), pointer, pointer, number, pointer)
    loaded.forward_halves = _function(loaded, "forward_halves", number)
    loaded.pool_open = _function(loaded, "pool_open", pointer, number)
    loaded.pool_close = _function(loaded, "pool_close", None, pointer)
    loaded.pool_ticks = _function(loaded, "pool_ticks", None, pointer, pointer)
    loaded.pool_forward = _function(loaded, "pool_forward", number, *batch)
    # In a microsecond: to give the interpreter away and to get it back would take longer.
    begun = (*batch, pointer, ctypes.c_uint64)
    loaded.pool_begin = _function(loaded, "pool_begin", number, *begun, keeps_interpreter=True)
    taken = (pointer, number, ctypes.POINTER(ctypes.c_uint64), ctypes.POINTER(number))
    loaded.completions_take = _function(loaded, "completions_take", number, *taken, keeps_interpreter=True)
    loaded.completions_wait = _function(loaded, "completions_take", number, *taken)
    loaded.completions_open = _function(loaded, "completions_open", pointer, number)
    loaded.completions_listen = _function(loaded, "completions_listen", None, pointer, number)


def _function(loaded: Any, name: str, result: Any, *arguments: Any, keeps_interpreter: bool = False) -> Any:
    """A function of the library, which other threads may run Python beside unless it `keeps_interpreter`."""
    kind = ctypes.PYFUNCTYPE if keeps_interpreter else ctypes.CFUNCTYPE
    return kind(result, *arguments)((name, loaded))
