import random

import pytest
from snownlp import normal

from training.perturbation.perturbations import PERTURBATIONS
from training.perturbation.script import KEPT, to_traditional

COMMON = (
    "登录失败请检查网络连接",
    "订单显示已发货但没有物流信息",
    "能不能增加导出报表的功能",
    "应用闪退以后数据全部丢失了",
    "希望这个软件越来越好用",
    "请问怎么修改绑定的手机号码",
    "视频会议没有声音，电话客服说要重启",
)


@pytest.mark.parametrize("text", COMMON)
def test_simplified_text_survives_the_round_trip(text: str) -> None:
    assert normal.zh2hans(to_traditional(text)) == text


@pytest.mark.parametrize("text", COMMON)
def test_the_length_stays(text: str) -> None:
    assert len(to_traditional(text)) == len(text)


@pytest.mark.parametrize(
    ("simplified", "traditional"),
    [("发现", "發現"), ("后来", "後來"), ("这里", "這裡"), ("为什么", "為什麼"), ("恢复", "恢復"), ("线上", "線上")],
)
def test_the_usual_one_of_several_traditional_characters_is_written(simplified: str, traditional: str) -> None:
    assert to_traditional(simplified) == traditional


def test_characters_that_mostly_stay_are_kept() -> None:
    assert to_traditional("".join(sorted(KEPT))) == "".join(sorted(KEPT))


@pytest.mark.parametrize("text", ["Login failed (502)", "登錄失敗", "😀 ok"])
def test_other_characters_stay(text: str) -> None:
    assert to_traditional(text) == text


def test_the_perturbation_writes_traditional_characters() -> None:
    assert PERTURBATIONS["traditional"]("软件", random.Random(0)) == "軟件"
