"""Rewrite texts that training sees again, so that it learns what they say and not how they are written.

Greetings, closings and emoji are others than those of `training.perturbation.perturbations`, which the report measures
by: a model that only knew these by heart would not look robust.
"""

import random
from collections.abc import Sequence

from training.data.sources import language
from training.perturbation.perturbations import (
    Perturbation,
    homophones,
    lower_case,
    traditional,
    typos,
    white_space,
)

OPENINGS = {
    "zh": (
        "hello，", "亲，", "小二在吗，", "客服小姐姐好～", "领导好，", "早上好！", "各位好：", "喂，", "那个……",
        "有个事：", "工单补充：", "反馈一下：", "转客户原话：", "老师您好,", "你好你好,", "不好意思打扰了，",
        "技术同学看下：", "【反馈】",
    ),
    "en": (
        "hello, ", "hi all, ", "Good day. ", "Hey team - ", "Greetings,\n", "Quick note: ", "FYI: ",
        "Dear sir or madam,\n", "hope you are well. ", "[feedback] ",
    ),
}  # fmt: skip
ENDINGS = {
    "zh": (
        "，多谢", "。拜托了", " 谢啦", "\n顺祝商祺", "！感谢！", "，等回复", "。麻烦尽快", " tks", "\n——以上",
        "，谢谢您嘞", "。先这样", "\n发送自移动客户端", "，在线等", " 🙏🙏", "。祝好",
    ),
    "en": (
        " thank u", " Cheers!", "\nRegards,", " Many thanks.", "\n\nBest,\na user", " ty", " Please get back to me.",
        " Have a nice day.", "\nSent from a tablet",
    ),
}  # fmt: skip
SIGNS = ("😊", "😅", "🥲", "✨", "📷", "🖥️", "☎️", "➡️", "📎", "🕒", "~", "^_^", "……", "。。。", "!!", "(?)")
AT_MOST = 2


def courtesy(text: str, generator: random.Random) -> str:
    """A greeting before the text or a closing after it, in its language."""
    tongue = "en" if language(text) == "en" else "zh"
    if generator.random() < 0.5:
        return generator.choice(OPENINGS[tongue]) + text
    return text + generator.choice(ENDINGS[tongue])


def sign(text: str, generator: random.Random) -> str:
    """An emoji or a run of signs after the text."""
    return text + generator.choice(SIGNS)


WAYS: Sequence[Perturbation] = (typos, homophones, traditional, lower_case, white_space, courtesy, courtesy, sign)
"""What is drawn from; courtesy stands twice, because people write it most."""


def rewrite(text: str, generator: random.Random) -> str:
    """The text in one or two other ways; what it says, and so its labels, stay."""
    for way in generator.sample(WAYS, generator.randint(1, AT_MOST)):
        text = way(text, generator)
    return text
