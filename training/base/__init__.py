"""The base encoder: where it comes from, how it is verified, and its form on disk (a sentence-transformers folder)."""

from training.base.spec import BaseSpec, load_base_spec
from training.base.source import obtain_base

__all__ = ["BaseSpec", "load_base_spec", "obtain_base"]
