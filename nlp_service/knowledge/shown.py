"""Records as searches show them; those that were shown lately are not read again."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from nlp_service.knowledge.documents import Document
from nlp_service.knowledge.keys import Kind, record_of
from nlp_service.knowledge.sources import SOURCES
from nlp_service.storage.database import Database

CHARACTERS = 1_000_000
"""Of the texts that are remembered, in memory only: some 10 bytes each, 55 if all are codes and marks."""
RECORD = 150
"""So many characters a record counts beside its texts."""


class ShownRecords:
    """Records by key. Who follows the changes has to say which records changed. May be used by several threads."""

    def __init__(self, database: Database, characters: int = CHARACTERS) -> None:
        """Those least recently shown are forgotten when all count more than so many characters."""
        self._database = database
        self._limit = characters
        self._characters = 0
        self._documents: OrderedDict[int, Document] = OrderedDict()
        self._lock = threading.Lock()
        self._forgotten = 0  # how often something was

    def of(self, keys: Sequence[int]) -> dict[int, Document]:
        """The records that exist, by key: as they were when the last change that was followed was made, or newer."""
        with self._lock:
            forgotten = self._forgotten
            known = {key: self._documents[key] for key in keys if key in self._documents}
            for key in known:
                self._documents.move_to_end(key)
        unknown = [key for key in keys if key not in known]
        read = self._read(unknown) if unknown else []
        with self._lock:
            if self._forgotten == forgotten:  # else a record may have changed since it was read
                self._keep(read)
        return known | {document.key: document for document in read}

    def forget(self, keys: Iterable[int]) -> None:
        """Read these anew: they have changed, or are gone."""
        with self._lock:
            self._forgotten += 1
            for key in keys:
                self._drop(key)

    def forget_all(self) -> None:
        """Read all anew."""
        with self._lock:
            self._forgotten += 1
            self._characters = 0
            self._documents.clear()

    def _read(self, keys: Sequence[int]) -> list[Document]:
        wanted: dict[Kind, list[int]] = {}
        for kind, number in map(record_of, keys):
            wanted.setdefault(kind, []).append(number)
        with self._database.look() as connection:
            return [
                document
                for source in SOURCES
                if source.kind in wanted
                for document in source.documents(connection, wanted[source.kind])
            ]

    def _keep(self, documents: Iterable[Document]) -> None:
        for document in documents:
            self._drop(document.key)
            self._documents[document.key] = document
            self._characters += _characters(document)
        while self._characters > self._limit:
            self._drop(next(iter(self._documents)))

    def _drop(self, key: int) -> None:
        document = self._documents.pop(key, None)
        if document is not None:
            self._characters -= _characters(document)


def _characters(document: Document) -> int:
    return RECORD + sum(map(len, document.fields.values()))
