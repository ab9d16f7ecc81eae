"""Personal data: what identifies a person is masked, what identifies a company, a device or an order is not."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nlp_service.text.personal_data import mask

DIGITS = ["1", "13", "86", "138", "1234", "4111", "110101", "19900307", "4111111111111111", "13812345678", "１３８"]
SIGNS = [" ", "-", ".", "*", "***", "@", "+86", "a", "X", "x", "support@", "zhang.san@example.com", "，", "卡号"]
TEXTS = st.text() | st.lists(st.sampled_from(DIGITS + SIGNS), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我的手机13812345678打不通", "我的手机138****5678打不通"),
        ("手机 138 1234 5678", "手机 138****5678"),
        ("手机 138-1234-5678", "手机 138****5678"),
        ("+86 138 1234 5678", "+86 138****5678"),
        ("+8613812345678", "+86138****5678"),
        ("86-13812345678", "86-138****5678"),
        ("13812345678、19987654321", "138****5678、199****4321"),
    ],
)
def test_a_mobile_number_keeps_its_first_three_and_last_four_digits(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_a_mobile_number_in_international_notation_with_00_is_masked() -> None:
    assert mask("008613812345678") == "0086138****5678"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("身份证110101199003074578", "身份证110101************"),
        ("身份证11010119900307457X。", "身份证110101************。"),
        ("身份证11010119900307457x", "身份证110101************"),
    ],
)
def test_an_identity_number_keeps_its_region_only(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("卡号4111111111111111", "卡号4111********1111"),
        ("卡号4111 1111 1111 1111。", "卡号4111********1111。"),
        ("卡号4111-1111-1111-1111", "卡号4111********1111"),
        ("卡号6222021234567890128", "卡号6222***********0128"),
    ],
)
def test_a_bank_card_keeps_its_first_and_last_four_digits(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text", ["从4111 1111 1111 1111 扣了 300 元", "卡4111111111111111 300元", "2024-05-01 4111111111111111 扣款"]
)
def test_a_bank_card_beside_other_numbers_is_masked(text: str) -> None:
    assert "4111********1111" in mask(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("邮箱zhang.san@example.com收不到", "邮箱z***@example.com收不到"),
        ("Zhang_San+crm@mail.example.com.cn", "Z***@mail.example.com.cn"),
        ("supporter@example.com", "s***@example.com"),
    ],
)
def test_an_email_address_keeps_its_first_character_and_domain(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "mailbox", ["support@example.com", "kefu@example.cn", "No-Reply@example.com", "IT@example.com"]
)
def test_role_mailboxes_stay(mailbox: str) -> None:
    assert mask(f"请写信到{mailbox}。") == f"请写信到{mailbox}。"


@pytest.mark.parametrize(
    "text",
    [
        "热线400-123-4567",
        "热线 800 820 1234",
        "座机010-62345678",
        "拨打95588",
        "订单TB20240501138123456",
        "订单号202405011234567890",
        "流水6222021234567890",  # 16 digits, and the last is not their check digit
        "升级到5.2.1后打不开",
        "Windows 10.0.19045.4291",
        "服务器192.168.138.12连不上",
        "2024-03-18 02:11:07 ERROR",
        "时间戳1712345678901",
        "0x80070005",
        "序列号SN13812345678",
        "@全体成员 明天停机",
    ],
)
def test_numbers_that_name_no_person_stay(text: str) -> None:
    assert mask(text) == text


def test_several_kinds_in_one_text_are_all_masked() -> None:
    text = "张三13812345678，身份证110101199003074578，卡4111111111111111，zhang@example.com"
    assert mask(text) == "张三138****5678，身份证110101************，卡4111********1111，z***@example.com"


@given(TEXTS)
@example("13812345678 9012345678902")
@example("4111111111111111 9012345678908")
@settings(deadline=None)
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(TEXTS)
@settings(deadline=None)
def test_only_an_email_address_may_lengthen_a_text_and_by_no_more_than_three_characters(text: str) -> None:
    assert len(mask(text)) <= len(text) + 3 * text.count("@")


@given(st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=0x10FFFF, exclude_categories=())))
@settings(deadline=None)
def test_every_string_can_be_masked(text: str) -> None:
    assert isinstance(mask(text), str)
