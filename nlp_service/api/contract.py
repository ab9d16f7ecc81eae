"""What the OpenAPI document says of keys, scopes, rates and the refusals that come of them."""

from typing import Any

from fastapi import FastAPI

from nlp_service.access.scopes import MEANINGS
from nlp_service.api.deps import PROBLEM
from nlp_service.api.routes import RULES, Rule

SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer nlp_…"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
RATE_HEADERS = {
    "RateLimit": {"schema": {"type": "string"}, "description": 'what is left: "requests";r=…;t=…'},
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": 'requests a minute: "requests";q=…;w=60'},
    "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"},
}


def install(app: FastAPI) -> None:
    """Add to the document of the application what the table of routes says."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _secure(plain())
        assert app.openapi_schema is not None  # noqa: S101 - `plain` keeps what it makes there
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _secure(document: dict[str, Any]) -> None:
    document["components"]["securitySchemes"] = SCHEMES
    for rule in RULES:
        operation = document["paths"].get(rule.path.replace(":path}", "}"), {}).get(rule.method.lower())
        if operation is not None:
            _describe(operation, rule)


def _describe(operation: dict[str, Any], rule: Rule) -> None:
    if rule.scope is None:
        operation["security"] = []
        return
    operation["security"] = [{name: [rule.scope]} for name in SCHEMES]
    responses = operation["responses"]
    responses["401"] = {"description": "no key, or not a valid one", **PROBLEM}
    missing = f"the key lacks the scope {rule.scope}: {MEANINGS[rule.scope]}"
    other = responses.get("403", {}).get("description")
    responses["403"] = {"description": "; or ".join(filter(None, (missing, other))), **PROBLEM}
    responses["429"] = {"description": "over the rate of the key, or queue full", "headers": RATE_HEADERS, **PROBLEM}
