"""HTTP of Ray Serve's proxies."""

from nlp_service.api.door import MAX_BODY
from nlp_service.api.protocol import BoundedHttp


class WholeRequests(BoundedHttp):
    """Hands a request on once its body is there; of a body above 64 KiB, what has come.

    A request that was handed on takes one of the places of a replica: callers who send half a body each would else take
    them all. Larger bodies are let in at once, so that a replica refuses whoever has no key before anything is kept.
    """

    def _stands_before_the_door(self) -> bool:
        length = next((value for name, value in self.headers if name == b"content-length"), b"0")
        return self._may_be_held and length.isdigit() and int(length) <= MAX_BODY

    def _turned_away(self, body: bytearray) -> bool:  # noqa: ARG002 - to refuse is for the replicas
        return False
