"""GET /v1/knowledge/frequent."""

import pytest
from fastapi.testclient import TestClient

from tests.api.expectations import fields_of, problem_of

FREQUENT = "/v1/knowledge/frequent"
TEXTS = ["收不到验证码,换了手机也不行", "收不到验证码,登不上去,换了手机也一样", "验证码收不到,换了两个手机都一样"]
ARTICLE = {
    "title": "收不到短信验证码怎么办",
    "problem": "登录时点获取验证码,手机一直收不到验证码短信",
    "solution": "检查短信拦截,或改用语音验证码",
    "status": "published",
}


def _take(client: TestClient, *texts: str, **fields: str) -> None:
    items = [{"kind": "ticket", "text": text, "product": "票务", **fields} for text in texts]
    assert client.post("/v1/feedback", json={"items": items}).status_code == 200


def test_a_problem_without_article_is_a_gap(client: TestClient) -> None:
    _take(client, *TEXTS)
    (problem,) = client.get(FREQUENT).json()["problems"]
    expected = {
        "size": 3,
        "share": 1.0,
        "previous": 0,
        "change": 3,
        "products": {"票务": 3},
        "article": None,
        "gap": True,
    }
    assert {name: problem[name] for name in expected} == expected
    assert (problem["title"] in TEXTS, sorted(problem["examples"])) == (True, [1, 2, 3])


def test_a_published_article_closes_the_gap_at_once(client: TestClient) -> None:
    _take(client, *TEXTS)
    number = client.post("/v1/knowledge", json=ARTICLE).json()["id"]
    client.post("/v1/knowledge", json={**ARTICLE, "title": "夜间模式", "problem": "屏幕刺眼", "solution": "设置里打开"})
    (problem,) = client.get(FREQUENT).json()["problems"]
    assert (problem["article"]["id"], problem["article"]["title"], problem["gap"]) == (number, ARTICLE["title"], False)


def test_only_tickets_of_the_period_count(client: TestClient) -> None:
    _take(client, *TEXTS, created_at="2026-03-10T08:00:00Z")
    answers = [
        client.get(FREQUENT, params={"since": since, "until": "2026-04-01"}).json()
        for since in ("2026-03-01", "2026-03-11")
    ]
    assert [answer["tickets"] for answer in answers] == [3, 0]
    assert (answers[0]["since"], answers[0]["until"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ({"product": "票务"}, 1),
        ({"product": "商城"}, 0),
        ({"label": "fault"}, 1),
        ({"label": ["question", "other"]}, 0),
    ],
)
def test_product_and_labels_narrow_it(client: TestClient, query: dict[str, str | list[str]], size: int) -> None:
    _take(client, *TEXTS)
    assert len(client.get(FREQUENT, params=query).json()["problems"]) == size


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "gestern"}, "query.since"),
        ({"until": "2026-13-01"}, "query.until"),
        ({"since": "2026-05-02", "until": "2026-05-01"}, "query.since"),
        ({"limit": "0"}, "query.limit"),
        ({"limit": "101"}, "query.limit"),
        ({"product": ""}, "query.product"),
        ({"label": ["fault"] * 11}, "query.label"),
        ({"label": ["fault", "foo"]}, "query.label"),
        ({"page": "1"}, "query.page"),
    ],
)
def test_a_wrong_parameter_is_named(service: TestClient, query: dict[str, str | list[str]], field: str) -> None:
    assert fields_of(problem_of(service.get(FREQUENT, params=query), 422)) == {field}


def test_an_unknown_label_is_named_with_those_that_there_are(service: TestClient) -> None:
    refused = problem_of(service.get(FREQUENT, params={"label": "foo"}), 422)
    assert "foo" in str(refused["errors"])
    assert "fault, feature_request, question, other" in str(refused["errors"])
