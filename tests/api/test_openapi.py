"""docs/openapi.json is the contract; it says what the application says."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.api.routes import RULES, Rule
from tests.conftest import PROJECT

CONTRACT = PROJECT / "docs" / "openapi.json"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(CONTRACT.read_text("utf-8"))
    return document


def _operations(contract: dict[str, Any], method: str) -> dict[str, dict[str, Any]]:
    return {path: item[method] for path, item in contract["paths"].items() if method in item}


def test_the_contract_is_current(contract: dict[str, Any], service: TestClient) -> None:
    assert contract == service.get("/openapi.json").json(), "run: python docs/openapi.py"


def test_the_contract_is_sorted_so_that_changes_are_easy_to_read(contract: dict[str, Any]) -> None:
    assert CONTRACT.read_text("utf-8") == json.dumps(contract, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def test_the_contract_has_every_call_of_this_version(contract: dict[str, Any]) -> None:
    assert set(contract["paths"]) == {
        "/v1/sentiment",
        "/v1/classify",
        "/v1/search",
        "/v1/embeddings",
        "/v1/models",
        "/v1/models/{task}/reload",
        "/v1/knowledge",
        "/v1/knowledge/{article_id}",
        "/v1/knowledge/{article_id}/submit",
        "/v1/knowledge/{article_id}/approve",
        "/v1/knowledge/{article_id}/reject",
        "/v1/knowledge/{article_id}/archive",
        "/v1/knowledge/{article_id}/unarchive",
        "/v1/knowledge/{article_id}/vote",
        "/v1/knowledge/{article_id}/versions",
        "/v1/knowledge/{article_id}/versions/{number}/restore",
        "/v1/knowledge/leaderboard",
        "/v1/knowledge/needs-review",
        "/v1/knowledge/export",
        "/v1/knowledge/import",
        "/v1/feedback",
        "/v1/feedback/{feedback_id}",
        "/v1/feedback/{feedback_id}/resolve",
        "/v1/feedback/{feedback_id}/reopen",
        "/v1/feedback/{feedback_id}/draft",
        "/v1/feedback/{feedback_id}/duplicates",
        "/v1/knowledge/frequent",
        "/v1/subjects/{customer_id}",
        "/livez",
        "/readyz",
        "/metrics",
    }


@pytest.mark.parametrize("status", ["400", "413", "415", "422", "429"])
@pytest.mark.parametrize("method", ["post", "patch"])
def test_every_call_with_a_body_documents_its_problems(contract: dict[str, Any], method: str, status: str) -> None:
    with_body = {path: call for path, call in _operations(contract, method).items() if "requestBody" in call}
    assert with_body
    for path, operation in with_body.items():
        assert PROBLEM in operation["responses"].get(status, {}).get("content", {}), path


def test_no_call_documents_another_form_of_error(contract: dict[str, Any]) -> None:
    other = [
        (path, method, status)
        for path, item in contract["paths"].items()
        for method, operation in item.items()
        for status, answer in operation["responses"].items()
        if status >= "400" and set(answer.get("content", {})) != {PROBLEM}
    ]
    assert other == []


@pytest.mark.parametrize("status", ["409", "422", "429"])
def test_a_reload_documents_its_problems(contract: dict[str, Any], status: str) -> None:
    responses = contract["paths"]["/v1/models/{task}/reload"]["post"]["responses"]
    assert PROBLEM in responses[status]["content"]


@pytest.mark.parametrize("place", ["/v1/knowledge/{article_id}", "/v1/feedback/{feedback_id}"])
def test_calls_for_one_record_document_that_it_may_be_missing(contract: dict[str, Any], place: str) -> None:
    of_one = [item for path, item in contract["paths"].items() if path.startswith(place)]
    assert of_one
    for operation in (operation for item in of_one for operation in item.values()):
        assert PROBLEM in operation["responses"]["404"]["content"]


@pytest.mark.parametrize(("step", "statuses"), [("submit", {"409"}), ("approve", {"403", "409"}), ("reject", {"403"})])
def test_a_step_of_the_review_documents_why_it_may_be_refused(
    contract: dict[str, Any], step: str, statuses: set[str]
) -> None:
    responses = contract["paths"][f"/v1/knowledge/{{article_id}}/{step}"]["post"]["responses"]
    assert statuses <= {status for status, answer in responses.items() if PROBLEM in answer.get("content", {})}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.scope], ids=lambda rule: f"{rule.method} {rule.path}")
def test_a_call_that_needs_a_key_documents_its_scope_and_refusals(contract: dict[str, Any], rule: Rule) -> None:
    operation = contract["paths"][rule.path.replace(":path}", "}")][rule.method.lower()]
    assert operation["security"] == [{"bearer": [rule.scope]}, {"key": [rule.scope]}]
    assert str(rule.scope) in operation["responses"]["403"]["description"]
    assert all(PROBLEM in operation["responses"][status]["content"] for status in ("401", "403", "429"))


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_call_that_needs_no_key_says_so(contract: dict[str, Any], path: str) -> None:
    assert contract["paths"][path]["get"]["security"] == []


def test_every_reference_leads_somewhere(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    text = json.dumps(contract)
    referred = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred <= set(schemas)
