"""Who makes a request: the holder of a key, or anybody on the own machine in development."""

from dataclasses import dataclass

from nlp_service.access.scopes import SCOPES, Scope
from nlp_service.errors import Forbidden, InvalidText

ANOTHER_NAME = (
    "by 须为密钥的名称;代他人操作需要 --for-others 密钥或 admin · "
    "by must be the name of the key; naming others takes a key made with --for-others, or admin"
)


@dataclass(frozen=True)
class Caller:
    """What is known of who asks. In development without a key there is neither prefix nor name."""

    prefix: str | None
    name: str | None
    scopes: frozenset[Scope]
    for_others: bool = False
    """Signs people in by itself, and names them."""

    def may(self, scope: Scope) -> bool:
        """Whether a key of this scope is held; admin is good for everything."""
        return scope in self.scopes or "admin" in self.scopes

    def person(self, given: str | None) -> str:
        """Who does it: the key's name, or the name that was given.

        Raises InvalidText when neither is there, Forbidden when a key names another person and may not.
        """
        if self.name is None:
            if given is None:
                raise InvalidText("缺少该字段 · is required", field="by")
            return given
        if given is None or given == self.name:
            return self.name
        if not self.for_others and not self.may("admin"):
            raise Forbidden(ANOTHER_NAME)
        return given


ANYBODY = Caller(None, None, frozenset(SCOPES), for_others=True)
"""In development without a key."""
