"""Command line: ``nlp-service``."""

from nlp_service.cli.main import main

__all__ = ["main"]
