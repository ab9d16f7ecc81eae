"""Explanations in POST /v1/sentiment and POST /v1/classify: which parts of the text spoke for the answer."""

from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.inference.engine import Engine
from tests.api.expectations import fields_of, problem_of

TEXTS = {
    "Chinese": "请问发票在哪里开？",
    "traditional": "點擊提交以後一直報錯，資料全部不見了",
    "full-width": "ＡＰＰ更新到３．２版以后闪退！！",
    "emoji": "👍👨‍👩‍👧挺好用❤️，就是闪退😀 三次",
    "English": "The app crashes whenever I save",
    "white space": "\n\t 卡顿　严重 \r\n",
}
LONG = ("闪退" + " " * 18) * 100
MAX_TEXTS = 16
# Shortened texts share batches with others, where 8-bit products are rounded a little differently.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Call:
    """A call that explains its answers."""

    path: str
    field: str

    def send(self, client: TestClient, texts: list[str], **options: object) -> Any:
        items = texts if self.field == "texts" else [{"text": text} for text in texts]
        return client.post(self.path, json={self.field: items, **options})

    def results(self, client: TestClient, texts: list[str], **options: object) -> list[dict[str, Any]]:
        response = self.send(client, texts, **options)
        assert response.status_code == 200, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    def explained(self, client: TestClient, text: str) -> dict[str, Any]:
        (result,) = self.results(client, [text], explain=True)
        return result


SENTIMENT = Call("/v1/sentiment", "texts")
CLASSIFY = Call("/v1/classify", "tickets")
both = pytest.mark.parametrize("call", [SENTIMENT, CLASSIFY], ids=lambda call: call.path)
texts = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())


def _words(text: str, result: dict[str, Any]) -> list[str]:
    return [text[part["start"] : part["end"]] for part in result["explanation"]]


@both
@pytest.mark.parametrize("options", [{}, {"explain": False}], ids=["by default", "when refused"])
def test_there_is_no_explanation(service: TestClient, call: Call, options: dict[str, object]) -> None:
    assert "explanation" not in call.results(service, ["又闪退了"], **options)[0]


@both
def test_a_part_has_the_fields_of_the_contract(service: TestClient, call: Call) -> None:
    for part in call.explained(service, "又闪退了，三次没保存")["explanation"]:
        assert set(part) == {"start", "end", "weight"}


@both
@texts
def test_parts_lie_in_the_text_in_order(service: TestClient, call: Call, text: str) -> None:
    bounds = [part[bound] for part in call.explained(service, text)["explanation"] for bound in ("start", "end")]
    assert bounds == sorted(bounds)
    assert bounds[0] >= 0
    assert bounds[-1] <= len(text)


@both
@texts
def test_parts_hold_every_word_and_no_emoji(service: TestClient, call: Call, text: str) -> None:
    words = "".join(_words(text, call.explained(service, text)))
    assert [character for character in words if character.isalnum()] == [
        character for character in text if character.isalnum()
    ]
    assert not set(words) & set("👍👨👩👧❤😀！？，")


@both
@texts
def test_leaving_out_the_strongest_part_changes_the_probability_by_its_weight(
    service: TestClient, call: Call, text: str
) -> None:
    result = call.explained(service, text)
    strongest = max(result["explanation"], key=lambda part: abs(part["weight"]))
    (without,) = call.results(service, [text[: strongest["start"]] + text[strongest["end"] :]])
    fallen = result["confidence"] - without["probabilities"][result["label"]]
    assert strongest["weight"] == pytest.approx(fallen, abs=TOLERANCE)


def test_the_word_that_decides_is_mostly_the_strongest(service: TestClient) -> None:
    decisive = {
        "怎么导出报表呀": "怎么",
        "点保存就报错": "报错",
        "登录页一直闪退": "闪退",
        "更新后打开就黑屏": "黑屏",
        "App crashes on startup": "crashes",
        "請問會員怎麼取消": "怎麼",
    }
    strongest = {
        text: max(CLASSIFY.explained(service, text)["explanation"], key=lambda part: float(part["weight"]))
        for text in decisive
    }
    named = [word for text, word in decisive.items() if word in text[strongest[text]["start"] : strongest[text]["end"]]]
    assert len(named) >= 5, strongest


@both
@pytest.mark.parametrize("text", ["闪退", "卡", "crash"])
def test_a_text_of_one_word_has_one_part(service: TestClient, call: Call, text: str) -> None:
    assert _words(text, call.explained(service, text)) == [text]


@both
def test_a_text_of_2000_characters_has_at_most_48_parts(service: TestClient, call: Call) -> None:
    assert len(LONG) == 2000
    assert 24 <= len(call.explained(service, LONG)["explanation"]) <= 48


@both
def test_the_answer_is_the_same_without_explanation(service: TestClient, call: Call) -> None:
    given = list(TEXTS.values())
    for explained, plain in zip(call.results(service, given, explain=True), call.results(service, given), strict=True):
        assert explained["label"] == plain["label"]
        assert explained["probabilities"] == pytest.approx(plain["probabilities"], abs=TOLERANCE)


@both
def test_each_text_is_explained_by_its_own_words(service: TestClient, call: Call) -> None:
    given = list(TEXTS.values())
    together = call.results(service, given, explain=True)
    for text, result in zip(given, together, strict=True):
        alone = call.explained(service, text)
        assert _words(text, result) == _words(text, alone)
        weights = [part["weight"] for part in alone["explanation"]]
        assert [part["weight"] for part in result["explanation"]] == pytest.approx(weights, abs=TOLERANCE)


def test_all_of_an_explained_request_is_one_pass(service: TestClient, engine: Engine) -> None:
    encoder = engine.batchers[engine.model("sentiment").encoder.fingerprint].encoder
    before = encoder.passes
    unseen = "一遍算完：月报导出后图表全糊了"  # what was computed lately is not computed again
    (result,) = SENTIMENT.results(service, [unseen], explain=True, aspects=True)
    assert encoder.passes - before == 1 + len(result["explanation"])


@both
def test_sixteen_texts_are_explained(service: TestClient, call: Call) -> None:
    results = call.results(service, ["闪退"] * MAX_TEXTS, explain=True)
    assert [len(result["explanation"]) for result in results] == [1] * MAX_TEXTS


@both
def test_more_than_sixteen_texts_name_the_field_and_the_limit(service: TestClient, call: Call) -> None:
    document = problem_of(call.send(service, ["闪退"] * (MAX_TEXTS + 1), explain=True), 422)
    assert fields_of(document) == {call.field}
    assert "16" in document["detail"]


@both
def test_more_than_sixteen_texts_are_answered_without_explanation(service: TestClient, call: Call) -> None:
    assert len(call.results(service, ["闪退"] * (MAX_TEXTS + 1))) == MAX_TEXTS + 1


@both
def test_too_many_characters_name_the_field_and_the_limit(service: TestClient, call: Call) -> None:
    document = problem_of(call.send(service, ["又" * 1500] * 3, explain=True), 422)
    assert fields_of(document) == {call.field}
    assert "4,000" in document["detail"]
