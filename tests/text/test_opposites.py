"""Opposite requests in equal words are told apart."""

import pytest

from nlp_service.text.opposites import LONGEST, are_opposites


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("如何开启消息免打扰", "如何关闭消息免打扰？"),
        ("怎样导入联系人", "怎样导出联系人啊"),
        ("门锁绑定失败", "门锁解绑失败"),
        ("How do I lock the screen", "how do I unlock the screen?"),
        ("turn on dark mode", "Turn off dark mode"),
    ],
)
def test_opposite_requests_are_opposites_whichever_comes_first(one: str, other: str) -> None:
    assert are_opposites(one, other)
    assert are_opposites(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("如何开启消息免打扰", "如何启用消息免打扰"),
        ("打开文件就闪退", "关闭窗口后订单没有保存"),
        ("打开后无法关闭", "关闭后无法打开"),
        ("install fails", "install failed again"),
        ("导出" + "很慢" * LONGEST, "导入" + "很慢" * LONGEST),
    ],
    ids=["same", "other-matters", "both-words", "one-word", "long"],
)
def test_other_texts_are_none(one: str, other: str) -> None:
    assert not are_opposites(one, other)
