"""Marks tests of the compiled forward pass."""

import pytest

from nlp_service.inference.kernel.library import library

compiled = pytest.mark.skipif(library() is None, reason="not compiled, or the processor has no AVX-512 VNNI")
