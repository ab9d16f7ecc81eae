"""Each scope against each route."""

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.testclient import TestClient

from nlp_service.access.scopes import SCOPES, Scope
from nlp_service.api.routes import RULES, Rule, find_rule
from tests.access.keys import bearer
from tests.api.expectations import Answer, problem_of

VALUES = {"article_id": "4711", "feedback_id": "4711", "number": "1", "task": "classify", "customer_id:path": "C/1"}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.method} {rule.path}")
GUARDED = [rule for rule in RULES if rule.scope is not None]
every_guarded_rule = pytest.mark.parametrize("rule", GUARDED, ids=lambda rule: f"{rule.method} {rule.path}")


def _address(rule: Rule) -> str:
    path = rule.path
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def _call(client: TestClient, rule: Rule, headers: dict[str, str]) -> Answer:
    return client.request(rule.method, _address(rule), headers=headers)


def _routes(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of everything that the application answers."""
    return {
        (method, str(context.path))
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if method != "HEAD"
    }


def test_every_route_is_in_the_table(guarded: TestClient) -> None:
    assert isinstance(guarded.app, FastAPI)
    assert {(rule.method, rule.path) for rule in RULES} == _routes(guarded.app)


@every_rule
def test_an_address_is_found_under_its_own_rule(rule: Rule) -> None:
    matched = find_rule(rule.method, _address(rule))
    assert matched is not None
    assert matched.rule == rule


@every_rule
def test_a_rule_expects_the_status_that_its_route_answers(guarded: TestClient, rule: Rule) -> None:
    assert isinstance(guarded.app, FastAPI)
    statuses = {
        (method, context.path): context.original_route.status_code
        for context in iter_route_contexts(guarded.app.routes)
        for method in context.methods or ()
        if isinstance(context.original_route, APIRoute)
    }
    assert rule.status == (statuses.get((rule.method, rule.path)) or 200)


@every_guarded_rule
@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_opens_the_routes_of_its_scope_alone(
    guarded: TestClient, keys: dict[str, str], rule: Rule, scope: Scope
) -> None:
    answer = _call(guarded, rule, bearer(keys[scope]))
    if scope in (rule.scope, "admin"):
        assert answer.status_code not in {401, 403}
    else:
        assert str(rule.scope) in problem_of(answer, 403)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PATCH", "/v1/knowledge/export", "GET"), ("GET", "/v1/knowledge/import", "POST"), ("POST", "/v1/models", "GET")],
)
@pytest.mark.parametrize("client", ["guarded", "service"])
def test_a_method_that_an_address_lacks_is_named_with_those_it_has(
    client: str, keys: dict[str, str], method: str, path: str, allowed: str, request: pytest.FixtureRequest
) -> None:
    started: TestClient = request.getfixturevalue(client)
    answer = started.request(method, path, headers=bearer(keys["admin"]) if client == "guarded" else {})
    problem_of(answer, 405)
    assert answer.headers["Allow"] == allowed


@every_guarded_rule
def test_without_a_key_a_route_is_closed(guarded: TestClient, rule: Rule) -> None:
    answer = _call(guarded, rule, {})
    problem_of(answer, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="nlp-service"'


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json"])
def test_some_routes_need_no_key(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/v1/knowledge/", "/docs/other"])
def test_an_address_that_is_not_in_the_table_is_not_found(guarded: TestClient, keys: dict[str, str], path: str) -> None:
    problem_of(guarded.get(path, headers=bearer(keys["admin"])), 404)


def test_another_method_is_not_allowed_and_names_those_that_are(guarded: TestClient, keys: dict[str, str]) -> None:
    answer = guarded.put("/v1/knowledge/1", headers=bearer(keys["admin"]))
    problem_of(answer, 405)
    assert answer.headers["allow"] == "DELETE, GET, PATCH"


def test_without_a_key_nobody_learns_which_addresses_there_are(guarded: TestClient) -> None:
    problem_of(guarded.get("/nowhere"), 401)
