import pytest

from training.audit.schema import Fault, is_readable, schema_faults
from training.data.example import Example

from .texts import of_train


def faults_of(text: str) -> list[Fault]:
    return [found.fault for found in schema_faults(of_train(Example("a", text, "tickets")))]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "blank"),
        (" \n\u3000", "blank"),
        ("字" * 2001, "too long"),
        ("闪退\ud83d了", "lone surrogate"),
        ("闪退\x00了", "control character"),
        ("闪退\x9f了", "control character"),
        ("回电13812345678谢谢", "personal data"),
        ("写信到 zhang.san@example.com", "personal data"),
        ("卡号 4111 1111 1111 1111", "personal data"),
    ],
)
def test_a_text_has_the_fault(text: str, fault: Fault) -> None:
    assert faults_of(text) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        "又闪退了",
        "字" * 2000,
        "第一行\n\t第二行\r\n",
        "😀👨\u200d👩",
        "打400-820-8820没人接",
        "写信到 support@example.com",
    ],
    ids=["plain", "2,000 characters", "layout", "emoji", "hotline", "role mailbox"],
)
def test_a_text_has_no_fault(text: str) -> None:
    assert faults_of(text) == []


def test_a_text_with_two_faults_is_named_for_both() -> None:
    assert faults_of("\x00回电13812345678") == ["control character", "personal data"]


def test_every_text_of_a_repeated_id_is_named() -> None:
    entries = of_train(*(Example(name, text, "t") for name, text in (("a", "一"), ("b", "二"), ("a", "三"))))
    assert [found.entry.example.text for found in schema_faults(entries)] == ["一", "三"]


@pytest.mark.parametrize(("text", "readable"), [("好", True), (" ", False), ("好\udc00", False)])
def test_a_readable_text_has_characters_and_no_lone_surrogate(text: str, readable: bool) -> None:
    assert is_readable(text) == readable
