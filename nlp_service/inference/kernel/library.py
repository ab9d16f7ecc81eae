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
        *((name, ctypes.c_int32) for name in ("hidden", "feed", "layers")),
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
        loaded = ctypes.CDLL(spec.origin)
        if loaded.forward_layout() != ctypes.sizeof(Model) + ctypes.sizeof(Layer) * 1000:
            return None
    except (OSError, AttributeError):  # of another version, compiled before
        return None
    loaded.forward_supported.restype = ctypes.c_int
    loaded.pool_open.argtypes, loaded.pool_open.restype = (ctypes.c_int,), ctypes.c_void_p
    loaded.pool_close.argtypes, loaded.pool_close.restype = (ctypes.c_void_p,), None
    loaded.pool_ticks.argtypes, loaded.pool_ticks.restype = (ctypes.c_void_p, ctypes.c_void_p), None
    loaded.pool_forward.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(Model),
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
    )
    loaded.pool_forward.restype = ctypes.c_int
    return loaded if loaded.forward_supported() else None
