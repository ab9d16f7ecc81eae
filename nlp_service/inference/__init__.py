"""Encoders, heads and what they answer. Imports neither torch nor transformers."""
