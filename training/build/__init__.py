"""From `models/` to runtime bundles: merge, export, quantise, compare, write."""

from training.build.bundles import build_bundles

__all__ = ["build_bundles"]
