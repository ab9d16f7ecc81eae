"""A fuzz target: what every text passes before a model sees it. `python -m tests.fuzz.text -runs=20000 -seed=1`."""

import resource
import sys

import atheris

with atheris.instrument_imports(include=["nlp_service.text"]):
    from nlp_service.errors import InvalidText
    from nlp_service.text.headline import MAX_CHARACTERS, headline
    from nlp_service.text.personal_data import identifies_a_person, mask
    from nlp_service.text.segmentation import fold, terms, words
    from nlp_service.text.validation import check_text

MEMORY = 1_024**3
"""In bytes. libFuzzer's own limit reads the peak that a process inherits from whoever started it."""


def test_one_input(data: bytes) -> None:
    """Whatever the bytes are as a text, it is refused or goes through, and what holds of every text holds."""
    text = atheris.FuzzedDataProvider(data).ConsumeUnicode(len(data))
    try:
        check_text(text)
    except InvalidText:
        return
    masked = mask(text)
    assert mask(masked) == masked
    assert identifies_a_person(masked) in {True, False}
    assert "".join(word for word, _, _ in words(text)) == fold(text)
    assert all(term and term == term.lower() for term in terms(text) if term.isascii())
    assert 0 < len(headline(text)) <= MAX_CHARACTERS


def main() -> None:
    """Run as libFuzzer's arguments say, within MEMORY."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
