"""What a command computes with: this machine, or a Ray cluster."""

from enum import StrEnum
from typing import Annotated

import typer


class EngineName(StrEnum):
    """The engines that `--engine` names."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[EngineName, typer.Option("--engine", help="本机或 Ray 集群 · this machine or a Ray cluster")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="Ray 集群地址,缺省仅用本机 · of the cluster; default RAY_ADDRESS or this machine"),
]
