"""From text to token ids.

A bundle holds its tokenizer in one of two files. UNIGRAM_FILE is read by sentencepiece, which takes a fifth of the
memory and a seventh of the time of the other reader, and takes nothing in a text for a special token
(docs/decisions/0021). TOKENIZER_FILE holds any tokenizer of the ``tokenizers`` library.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sentencepiece import SentencePieceProcessor

from nlp_service.inference.bundle import UNIGRAM_FILE, sha256


class Tokenizer(Protocol):
    """May be used by several threads."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens."""
        ...

    def id_of(self, token: str) -> int | None:
        """The id of a token, None when there is no such token."""
        ...


class UnigramTokenizer:
    """Runs a model of sentencepiece."""

    def __init__(self, file: Path) -> None:
        self._processor = SentencePieceProcessor(model_file=str(file))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See `Tokenizer.encode`."""
        if len(texts) == 1:  # for a list it makes a thread, which takes five times as long as a short text
            return [self._processor.encode(texts[0])]
        ids: list[list[int]] = self._processor.encode(list(texts), num_threads=1)
        return ids

    def id_of(self, token: str) -> int | None:
        """See `Tokenizer.id_of`."""
        found = self._processor.piece_to_id(token)
        return found if self._processor.id_to_piece(found) == token else None


class JsonTokenizer:
    """Runs a tokenizer of the ``tokenizers`` library."""

    def __init__(self, file: Path) -> None:
        import tokenizers  # large, and not needed with the other file

        self.tokenizer = tokenizers.Tokenizer.from_file(str(file))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.tokenizer.encode_special_tokens = True  # what looks like a special token in a text is text

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """See `Tokenizer.encode`."""
        encodings = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def id_of(self, token: str) -> int | None:
        """See `Tokenizer.id_of`."""
        return self.tokenizer.token_to_id(token)


_opened: dict[str, Tokenizer] = {}
_opening = threading.Lock()


def open_tokenizer(file: Path) -> Tokenizer:
    """The tokenizer in a file, whose name says of which kind it is; one in memory for equal files."""
    key = sha256(file)
    with _opening:
        if key not in _opened:
            _opened[key] = UnigramTokenizer(file) if file.name == UNIGRAM_FILE else JsonTokenizer(file)
        return _opened[key]
