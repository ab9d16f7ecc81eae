"""Labelled texts to audit, and vectors for them."""

from collections.abc import Mapping, Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from training.audit import AuditReport, audit
from training.audit.entry import Entry, entries_of
from training.data.example import Example, Split

WORDS = {
    "negative": "闪退卡死黑屏报错丢失失灵退款差评难用垃圾后悔生气失望折腾变慢",
    "neutral": "请问在哪修改密码发票如何查询设置版本更新账号登录导入格式周二",
    "positive": "喜欢感谢好用流畅贴心省心推荐满意漂亮惊喜稳定方便给力点赞优秀",
}
"""Fifteen words of two characters for each sentiment."""


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Character n-grams hashed into 128 dimensions."""
    vectorizer = HashingVectorizer(analyzer="char", ngram_range=(1, 2), n_features=128, dtype=np.float32)
    vectors: NDArray[np.float32] = vectorizer.transform(texts).toarray()
    return vectors


def opinions(label: str, number: int, *, seed: int = 0) -> list[str]:
    """Different texts that say nothing but what `label` means."""
    random = Random(f"{label} {seed}")
    words = [WORDS[label][start : start + 2] for start in range(0, 30, 2)]
    return ["".join(random.sample(words, 6)) for _ in range(number)]


def sentiment(name: str, text: str, label: str) -> Example:
    return Example(name, text, "reviews", {"sentiment": label})


def reviews(number: int, *, seed: int = 0) -> list[Example]:
    """`number` well-labelled texts of each sentiment, ids such as ``negative-0-3``."""
    return [
        sentiment(f"{label}-{seed}-{place}", text, label)
        for label in WORDS
        for place, text in enumerate(opinions(label, number, seed=seed))
    ]


def of_train(*examples: Example) -> list[Entry]:
    return entries_of({"train": examples})


def audited(
    train: Sequence[Example] = (), validation: Sequence[Example] = (), test: Sequence[Example] = ()
) -> AuditReport:
    splits: Mapping[Split, Sequence[Example]] = {"train": train, "validation": validation, "test": test}
    return audit(splits, encode)
