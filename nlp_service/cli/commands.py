"""The commands, each in a module of its own that is imported when the command is asked for.

Together they need everything that the project depends on, and `serve` waits for what it needs itself.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

MODULES = {
    "serve": "serve",
    "analyze": "analyze",
    "search": "search",
    "kb": "knowledge",
    "feedback": "feedback",
    "models": "models",
    "keys": "keys",
    "audit": "audit",
}


class Commands(TyperGroup):
    """Finds a command in its module."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands, for the help."""
        return [*MODULES, *(name for name in super().list_commands(ctx) if name not in MODULES)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, None when there is none."""
        if cmd_name in MODULES and cmd_name not in self.commands:
            module = import_module(f"nlp_service.cli.{MODULES[cmd_name]}")
            command = typer.main.get_command(module.app)
            command.name = cmd_name
            self.add_command(command)
        return super().get_command(ctx, cmd_name)
