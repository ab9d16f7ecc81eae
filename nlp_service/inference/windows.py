"""From text to token windows.

A window is what the encoder sees at once. A short text is one window. A longer one is cut into windows of equal size,
each with the prefix; nothing is thrown away, and no input to the encoder is longer than a window.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nlp_service.inference.tokenization import open_tokenizer

BOS, EOS = "<s>", "</s>"


@dataclass(frozen=True)
class Window:
    """Token ids of one window, and the text (index in its batch) that it belongs to."""

    text: int
    ids: tuple[int, ...]

    @cached_property
    def key(self) -> bytes:
        """Equal for windows of equal tokens."""
        return np.array(self.ids, dtype=np.int32).tobytes()


class Windower:
    """Cuts texts into windows with the tokenizer of one encoder."""

    def __init__(self, tokenizer_file: Path, window_tokens: int) -> None:
        self._tokenizer = open_tokenizer(tokenizer_file)
        self._limit = window_tokens
        self._bos = self._special(BOS, "[CLS]")
        self._eos = self._special(EOS, "[SEP]")
        self._prefixes: dict[str, list[int]] = {"": []}

    def windows(self, texts: Sequence[str], prefix: str) -> list[Window]:
        """The windows of all texts, in order. Every text gives at least one."""
        prefix_ids = self._prefixes.get(prefix)
        if prefix_ids is None:
            prefix_ids = self._prefixes[prefix] = self._tokenizer.encode([prefix.rstrip()])[0]
        room = self._limit - 2 - len(prefix_ids)
        encoded = self._tokenizer.encode([prefix + text for text in texts])
        return [
            Window(index, (self._bos, *part, self._eos))
            for index, ids in enumerate(encoded)
            for part in _parts(ids, prefix_ids, room)
        ]

    def _special(self, *names: str) -> int:
        for name in names:
            if (token := self._tokenizer.id_of(name)) is not None:
                return token
        raise ValueError(f"the tokenizer knows none of {names}")


def _parts(ids: list[int], prefix: list[int], room: int) -> Iterator[list[int]]:
    if len(ids) <= room + len(prefix):
        yield ids
        return
    content = ids[len(prefix) :]
    count = -(-len(content) // room)
    size = -(-len(content) // count)
    for start in range(0, len(content), size):
        yield prefix + content[start : start + size]
