"""Text before any model: checks, segmentation, personal data."""
