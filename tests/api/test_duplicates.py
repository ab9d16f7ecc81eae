"""Duplicates in the answers of /v1/feedback."""

from typing import Any

from fastapi.testclient import TestClient

from tests.api.expectations import problem_of

FEEDBACK = "/v1/feedback"
TICKET = {"kind": "ticket", "text": "付完钱订单还是待支付,倒计时到了自动取消,钱也没退", "external_id": "T-1"}
AGAIN = {"kind": "ticket", "text": "钱付了订单却显示待支付,倒计时一到就自动取消,钱没退"}
OTHER = {"kind": "ticket", "text": "夜间模式能不能跟随系统自动切换"}


def _results(client: TestClient, *items: object) -> list[dict[str, Any]]:
    answer = client.post(FEEDBACK, json={"items": items})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_a_new_ticket_names_the_open_one_that_it_repeats(client: TestClient) -> None:
    (first,) = _results(client, TICKET)
    (second,) = _results(client, AGAIN)
    (named,) = second["duplicates"]
    assert {name: named[name] for name in ("id", "external_id", "status")} == {
        "id": first["id"],
        "external_id": "T-1",
        "status": "open",
    }
    assert 0.9 <= named["score"] <= 1


def test_a_solved_one_is_named_once_it_is_solved(client: TestClient) -> None:
    (first,) = _results(client, TICKET)
    client.post(f"{FEEDBACK}/{first['id']}/resolve", json={"solution": "补单后退款"})
    assert [one["status"] for one in _results(client, AGAIN)[0]["duplicates"]] == ["solved"]


def test_within_a_call_a_ticket_repeats_those_before_it(client: TestClient) -> None:
    first, other, second = _results(client, TICKET, OTHER, AGAIN)
    named = [[one["id"] for one in result["duplicates"]] for result in (first, other, second)]
    assert named == [[], [], [first["id"]]]


def test_the_same_ticket_sent_again_does_not_repeat_itself(client: TestClient) -> None:
    _results(client, TICKET)
    assert _results(client, TICKET)[0]["duplicates"] == []


def test_a_review_has_no_duplicates(client: TestClient) -> None:
    _results(client, TICKET)
    assert _results(client, {"kind": "review", "text": TICKET["text"]})[0]["duplicates"] == []


def test_both_tickets_list_each_other(client: TestClient) -> None:
    first, second = (result["id"] for result in _results(client, TICKET, AGAIN))
    listed = [client.get(f"{FEEDBACK}/{number}/duplicates").json()["duplicates"] for number in (first, second)]
    assert [[one["id"] for one in found] for found in listed] == [[second], [first]]


def test_duplicates_of_an_unknown_ticket_are_not_found(client: TestClient) -> None:
    problem_of(client.get(f"{FEEDBACK}/4711/duplicates"), 404)
