"""What can go wrong with the registry.

ServiceError
└── RegistryError         a candidate is incomplete, or the registry does not have or take what was asked for
    └── GateRefused       a candidate is worse than the gate allows
"""

from collections.abc import Sequence

from nlp_service.errors import ServiceError


class RegistryError(ServiceError):
    """A candidate is incomplete, or the registry does not have or take what was asked for."""


class GateRefused(RegistryError):
    """A candidate is worse than the gate allows; `refusals` has a sentence for each reason."""

    def __init__(self, refusals: Sequence[str]) -> None:
        super().__init__("\n".join(refusals))
        self.refusals = tuple(refusals)
