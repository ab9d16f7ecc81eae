"""Ways to write the same text differently, none of which changes what it says.

Each takes a text and a source of random numbers, and gives the same for the same two.
"""

import random
import re
import string
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from training.data.sources import language
from training.perturbation.homophones import HOMOPHONES
from training.perturbation.script import to_traditional

Perturbation = Callable[[str, random.Random], str]
LETTERS_PER_TYPO = 20
"""One slip in about so many letters, at least one in a text."""
NEGATIONS = frozenset("不没无未别非勿")
"""Characters that typos leave alone: without them a text says the opposite."""
BREAKS = (" ", "  ", "\n", "\n\n", "\t")
EMOJI = ("🙏", "👀", "📱", "💻", "📌", "👉", "🤔", "❓", "⏰", "🔧", "📝", "💬")
"""None that is glad or angry by itself."""
GREETINGS = {
    "zh": (
        "你好，", "您好！", "在吗？", "客服你好，", "各位老师好，", "请问有人在吗？", "hi，", "打扰一下，",
        "尊敬的客服：\n", "你们好，我是老用户了。", "麻烦帮忙看一下：", "Dear 团队，\n",
    ),
    "en": (
        "Hi, ", "Hello, ", "Hi there! ", "Dear team,\n", "Good morning, ", "To whom it may concern,\n\n", "Hey, ",
        "Hi support, ", "Hello everyone. ", "Sorry to bother you, ",
    ),
}  # fmt: skip
CLOSINGS = {
    "zh": (
        "谢谢。", "，麻烦了", " 辛苦了！", "\n此致\n敬礼", "，请知悉。", "\n祝工作顺利", "，感谢", " 等您回复。",
        "，谢谢老师", "\n来自我的手机", "，盼复", " thx",
    ),
    "en": (
        " Thanks.", " Thank you!", "\nBest regards", "\n\nKind regards,\nA customer", " Cheers", " BR",
        " Thanks in advance.", " Looking forward to your reply.", " Please advise.", "\nSent from my phone",
    ),
}  # fmt: skip

_WORDS = re.compile("|".join(sorted(HOMOPHONES, key=lambda word: (-len(word), word))))
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_SENTENCE_END = re.compile(r"(?<=[。！？!?；;\n])|(?<=\.)(?=\s)")


def typos(text: str, generator: random.Random) -> str:
    """Swap, drop or double letters; digits, punctuation, negations and at least one letter stay."""
    characters = list(text)
    places = [index for index, character in enumerate(characters) if _may_slip(character)]
    if len(places) < 2:
        return text
    for place in generator.sample(places[:-1], min(max(1, len(places) // LETTERS_PER_TYPO), len(places) - 1)):
        slip = generator.choice(("swap", "drop", "double"))
        if slip == "double":
            characters[place] *= 2
        elif slip == "drop":
            characters[place] = ""
        elif _may_slip(characters[place + 1]):
            characters[place], characters[place + 1] = characters[place + 1], characters[place]
    return "".join(characters)


def homophones(text: str, generator: random.Random) -> str:
    """Write half of the words that are easily confused, at least one of them, as the other one."""
    found = list(_WORDS.finditer(text))
    if not found:
        return text
    sure = generator.choice(found).start()
    return _WORDS.sub(
        lambda match: HOMOPHONES[match[0]] if match.start() == sure or generator.random() < 0.5 else match[0], text
    )


def traditional(text: str, _: random.Random) -> str:
    """Traditional for simplified characters."""
    return to_traditional(text)


def full_width(text: str, _: random.Random) -> str:
    """Full-width forms of ASCII; NFKC gives the text back."""
    return text.translate(_FULL_WIDTH)


def emoji(text: str, generator: random.Random) -> str:
    """One to three emoji at the ends of sentences or of the text."""
    return _insert(text, [*_ends(text), len(text)], EMOJI, generator.randint(1, 3), generator)


def courtesy(text: str, generator: random.Random) -> str:
    """A greeting before and a closing formula after the text, in its language."""
    tongue = "en" if language(text) == "en" else "zh"
    return generator.choice(GREETINGS[tongue]) + text + generator.choice(CLOSINGS[tongue])


def upper_case(text: str, _: random.Random) -> str:
    """Latin letters in upper case."""
    return text.translate(_UPPER)


def lower_case(text: str, _: random.Random) -> str:
    """Latin letters in lower case."""
    return text.translate(_LOWER)


def white_space(text: str, generator: random.Random) -> str:
    """Blanks, tabs and line breaks, one in about 20 characters; never inside a Latin word or a number."""
    places = [0, *(place for place in range(1, len(text)) if not _inside_word(text, place)), len(text)]
    return _insert(text, places, BREAKS, max(1, len(text) // LETTERS_PER_TYPO), generator)


PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
    {
        "typos": typos,
        "homophones": homophones,
        "traditional": traditional,
        "full_width": full_width,
        "emoji": emoji,
        "courtesy": courtesy,
        "upper_case": upper_case,
        "lower_case": lower_case,
        "white_space": white_space,
    }
)


def _may_slip(character: str) -> bool:
    return character.isalpha() and character not in NEGATIONS


def _ends(text: str) -> list[int]:
    return [match.start() for match in _SENTENCE_END.finditer(text)]


def _inside_word(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    return before.isascii() and after.isascii() and not before.isspace() and not after.isspace()


def _insert(text: str, places: Sequence[int], pieces: Sequence[str], times: int, generator: random.Random) -> str:
    """`text` with `times` of the pieces put in before the characters at some of `places`."""
    for place in sorted((generator.choice(places) for _ in range(times)), reverse=True):
        text = text[:place] + generator.choice(pieces) + text[place:]
    return text
