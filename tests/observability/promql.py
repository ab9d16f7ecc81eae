"""What the dashboard and the alert rules ask Prometheus, read as PromQL."""

import json
from typing import Any

import promql_parser
import yaml

from tests.conftest import PROJECT

DASHBOARD = PROJECT / "ops" / "grafana" / "nlp-service.json"
ALERTS = PROJECT / "ops" / "prometheus" / "alerts.yml"
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}
"""What Grafana puts into an expression."""


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return read


def alerts() -> list[dict[str, Any]]:
    """All alert rules."""
    return [rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """All expressions, as Prometheus gets them."""
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [_filled(expression) for expression in (*asked, *(rule["expr"] for rule in alerts()))]


def named(expression: str) -> list[tuple[str, set[str]]]:
    """Each metric that an expression names, with the labels that it is chosen or grouped by."""
    parsed = promql_parser.parse(expression)
    chosen = [(one.name or "", {matcher.name for matcher in one.matchers.matchers}) for one in _selectors(parsed)]
    grouped = [
        (one.name or "", set(aggregate.modifier.labels))
        for aggregate in _nodes(parsed)
        if isinstance(aggregate, promql_parser.AggregateExpr) and aggregate.modifier is not None
        for one in _selectors(aggregate)
    ]
    return [*chosen, *grouped]


def _selectors(expression: promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    return [node for node in _nodes(expression) if isinstance(node, promql_parser.VectorSelector)]


def _nodes(expression: promql_parser.Expr) -> list[promql_parser.Expr]:
    found: list[promql_parser.Expr] = []
    promql_parser.walk(expression, found.append)
    return found


def _filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression
