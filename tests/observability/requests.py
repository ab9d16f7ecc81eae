"""Requests for every call of the contract whose every text is personal data that can be recognised."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

TEXT = "王晓萌的手机号是13812345678，邮箱canary7q4@example.com，说导出报表一直超时"
TRACES = ("晓萌", "1381234", "canary7q4", "超时")
"""What would be found of the text where it was written, also in parts."""
Fill = Literal["needed", "all", "wrong"]
"""Bodies with the fields that are needed, with all of them, or with texts in the place of every value."""


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None


def calls(contract: dict[str, Any], fill: Fill) -> Iterator[Call]:
    """A request for every operation of an OpenAPI document, those that delete last."""
    schemas = contract["components"]["schemas"]
    operations = [(path, method, call) for path, item in contract["paths"].items() for method, call in item.items()]
    for path, method, call in sorted(operations, key=lambda operation: operation[1] == "delete"):
        parameters = call.get("parameters", [])
        values = {one["name"]: TEXT if fill == "wrong" else _value(one["schema"], schemas, fill) for one in parameters}
        places = {one["name"]: one["in"] for one in parameters}
        for name in (name for name, place in places.items() if place == "path"):
            path = path.replace(f"{{{name}}}", str(values[name]))
        query = {name: str(values[name]) for name, place in places.items() if place == "query" and fill != "needed"}
        if fill == "wrong":
            query["canary7q4"] = TEXT
        content = call.get("requestBody", {}).get("content", {}).get("application/json")
        yield Call(method.upper(), path, query, _value(content["schema"], schemas, fill) if content else None)


def _value(schema: dict[str, Any], schemas: dict[str, Any], fill: Fill) -> Any:
    """A value that a schema describes, made of the text wherever it allows one."""
    if "$ref" in schema:
        return _value(schemas[schema["$ref"].rpartition("/")[2]], schemas, fill)
    if "anyOf" in schema:
        return _value(next(one for one in schema["anyOf"] if one.get("type") != "null"), schemas, fill)
    if schema.get("type") == "object" or "properties" in schema:
        names = schema.get("required", []) if fill == "needed" else schema.get("properties", {})
        made = {name: _value(schema["properties"][name], schemas, fill) for name in names}
        return made | {TEXT: TEXT} if fill == "wrong" else made
    if schema.get("type") == "array":
        return [_value(schema["items"], schemas, fill)]
    if fill == "wrong":
        return TEXT
    return _scalar(schema)


def _scalar(schema: dict[str, Any]) -> Any:
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("type") == "string":
        return "2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else TEXT
    return {"integer": max(1, schema.get("minimum", 1)), "number": 0.5, "boolean": True}.get(schema["type"])
