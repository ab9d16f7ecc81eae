"""From a query and a passage to the one window that a cross-encoder reads."""

from collections.abc import Sequence
from pathlib import Path

from nlp_service.errors import BundleError
from nlp_service.inference.tokenization import JsonTokenizer, open_tokenizer
from nlp_service.inference.windows import Window

BETWEEN = "\0"
"""Between query and passage; no text that can be asked or stored holds it."""


def pair(query: str, passage: str) -> str:
    """Both as the one text that a `PairWindower` takes."""
    return f"{query}{BETWEEN}{passage}"


class PairWindower:
    """Cuts pairs to the limit of one cross-encoder, with its tokenizer and the special tokens that this puts in."""

    def __init__(self, tokenizer_file: Path, max_tokens: int) -> None:
        opened = open_tokenizer(tokenizer_file)
        if not isinstance(opened, JsonTokenizer):
            raise BundleError(f"{tokenizer_file}: 不能拼接两段文本 · cannot join two texts")
        self._tokenizer = opened.tokenizer
        self._room = max_tokens - self._tokenizer.num_special_tokens_to_add(True)

    def windows(self, texts: Sequence[str], _: str = "") -> list[Window]:
        """One window for each pair, query first; of a long pair the passage is cut, and the query to half of it."""
        queries, passages = zip(*(text.split(BETWEEN, 1) for text in texts), strict=True)
        firsts = self._tokenizer.encode_batch(list(queries), add_special_tokens=False)
        seconds = self._tokenizer.encode_batch(list(passages), add_special_tokens=False)
        windows = []
        for index, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            first.truncate(max(self._room // 2, self._room - len(second)))
            second.truncate(self._room - len(first))
            windows.append(Window(index, tuple(self._tokenizer.post_process(first, second).ids)))
        return windows
