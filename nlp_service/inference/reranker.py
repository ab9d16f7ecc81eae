"""A cross-encoder that reads the query together with each of the first hits of a search."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from nlp_service.errors import BundleError
from nlp_service.inference.batching import Batcher
from nlp_service.inference.bundle import EncoderBundle, Reranking
from nlp_service.inference.encoder import Vectors
from nlp_service.inference.pairs import pair


@dataclass(frozen=True)
class Reranker:
    """A cross-encoder behind its batcher, and how many hits it reads."""

    batcher: Batcher
    top: int
    reranking: Reranking

    @classmethod
    def of(cls, batcher: Batcher, top: int) -> "Reranker":
        """Raises BundleError when the encoder is no cross-encoder."""
        bundle = batcher.encoder.bundle
        if bundle.pooling != "score" or bundle.reranking is None:
            raise BundleError(f"{bundle.name} {bundle.version}: 不是重排模型 · is no reranker")
        return cls(batcher, top, bundle.reranking)

    @property
    def model(self) -> EncoderBundle:
        """The bundle that scores."""
        return self.batcher.encoder.bundle

    def submit(self, query: str, passages: Sequence[str]) -> Future[Vectors]:
        """Begin to score passages, one or more, shape (passages, 1); raises Overloaded when too much waits."""
        return self.batcher.submit([pair(query, passage) for passage in passages]).vectors
