"""What the indexes need of some records: their documents, terms and stored vectors."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.sources import Source, Vector
from nlp_service.text.segmentation import terms


@dataclass(frozen=True)
class Records:
    """Some records at one moment."""

    documents: Sequence[Document]
    terms: Mapping[int, Sequence[str]]
    """By key."""
    vectors: Mapping[str, Mapping[int, Vector]]
    """Those that are stored, by the fingerprint of the encoder and the number of the record."""


def read_records(session: Session, source: Source, numbers: Sequence[int], encoders: Collection[str]) -> Records:
    """Those of the records that exist, in no order; of their present texts the vectors by these encoders."""
    documents = source.documents(session, numbers)
    vectors = {encoder: source.stored_vectors(session, documents, encoder) for encoder in encoders}
    return Records(documents, {document.key: terms(document.text) for document in documents}, vectors)
