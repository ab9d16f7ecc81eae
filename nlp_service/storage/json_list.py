"""Conditions on lists that are stored as JSON."""

from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class _Elements(GenericFunction[Any]):
    """The elements of a JSON list, as rows with the column `value`."""

    name = "json_each"
    inherit_cache = True


@compiles(_Elements, "postgresql")
def _postgresql(elements: _Elements, compiler: SQLCompiler, **arguments: Any) -> str:
    return f"json_array_elements_text({compiler.process(elements.clauses, **arguments)})"


def contains(column: InstrumentedAttribute[list[str]], value: str) -> ColumnElement[bool]:
    """Whether the list of texts in `column` has `value` among its elements."""
    each = _Elements(column).table_valued("value")
    return exists(select(each.c.value).where(each.c.value == value))
