"""Understands what customers write after delivery."""

from importlib.metadata import version

__version__ = version("nlp-service")
