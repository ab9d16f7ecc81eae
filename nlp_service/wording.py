"""What is wrong with a field, in words that people read, Chinese and English."""

from collections.abc import Mapping
from typing import Any

_MESSAGES = {
    "extra_forbidden": "未知字段 · unknown field",
    "missing": "缺少该字段 · is required",
    "string_type": "必须是字符串 · must be a string",
    "string_unicode": "含有无效字符(如孤立的代理码位) · contains characters that are not valid Unicode",
    "string_too_short": "不能为空 · must not be empty",
    "string_too_long": "最多 {max_length} 字 · at most {max_length} characters",
    "string_pattern_mismatch": "含有不允许的字符 · holds characters that are not allowed",
    "too_long": "最多 {max_length} 项,实际 {actual_length} 项 · at most {max_length} items, got {actual_length}",
    "too_short": "至少 {min_length} 项 · at least {min_length} items",
    "list_type": "必须是数组 · must be a list",
    "bool_type": "必须是 true 或 false · must be true or false",
    "int_type": "必须是整数 · must be an integer",
    "int_parsing": "必须是整数 · must be an integer",
    "literal_error": "只能是 {expected} · must be one of {expected}",
    "float_type": "必须是数 · must be a number",
    "float_parsing": "必须是数 · must be a number",
    "greater_than": "必须大于 {gt} · must be greater than {gt}",
    "greater_than_equal": "不能小于 {ge} · must be at least {ge}",
    "less_than_equal": "不能大于 {le} · must be at most {le}",
    "model_attributes_type": "必须是 JSON 对象 · must be a JSON object",
    "model_type": "必须是 JSON 对象 · must be a JSON object",
}


def message_of(error: Mapping[str, Any]) -> str:
    """What one pydantic error says; never what was given, which may hold personal data."""
    message = _MESSAGES.get(error["type"])
    context = error.get("ctx", {})
    return printable(message.format(**context) if message else context.get("error", error["msg"]))


def printable(value: object) -> str:
    """At most 200 characters, all of which can be printed."""
    return str(value).encode("utf-8", "replace").decode("utf-8").replace("\x00", "�")[:200]
