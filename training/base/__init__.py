"""The base encoder: where it comes from, how it is verified, and its form on disk (a sentence-transformers folder)."""

from training.base.source import obtain_base
from training.base.spec import BaseSpec, load_base_spec

__all__ = ["BaseSpec", "load_base_spec", "obtain_base"]
