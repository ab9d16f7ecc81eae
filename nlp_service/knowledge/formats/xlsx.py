"""XLSX: every visible sheet with a header row, read row by row."""

import warnings
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.archive import check_archive
from nlp_service.knowledge.formats.damage import as_damage
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.formats.table import check_header, check_row, names_of, trimmed
from nlp_service.knowledge.records import Bad, Entry

MAX_ROWS, MAX_COLUMNS = 1_048_576, 1000
"""The first is the format's own; more columns than the second are no table of articles."""
SheetRow = tuple[Any, ...]

warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")  # about styles and extensions, never read


def read(source: Source) -> Iterator[Entry]:
    """Every row that is not blank; formulas give the value that was stored with them.

    A sheet whose header is wrong is one bad record when others can be read. Raises InvalidRecord when none can.
    """
    check_archive(source.stream)
    with as_damage():
        yield from _sheets(source)


def _sheets(source: Source) -> Iterator[Entry]:
    values, formulas = _open(source, data_only=True), _open(source, data_only=False)
    wrong: list[tuple[str, InvalidRecord]] = []
    readable = False
    for sheet in values.worksheets:
        if sheet.sheet_state != "visible":
            continue
        other = formulas[sheet.title]
        sheet.reset_dimensions()
        other.reset_dimensions()
        try:
            for entry in _rows(sheet.title, zip(sheet.iter_rows(), other.iter_rows(), strict=True)):
                readable = True
                yield entry
        except InvalidRecord as error:
            wrong.append((sheet.title, error))
    if wrong and not readable:
        raise wrong[0][1]
    for title, problem in wrong:
        yield Bad(f"工作表 {title} · sheet {title}", str(problem))


def _open(source: Source, *, data_only: bool) -> Any:
    source.stream.seek(0)
    return load_workbook(source.stream, read_only=True, data_only=data_only, keep_links=False)


def _rows(title: str, rows: Iterator[tuple[SheetRow, SheetRow]]) -> Iterator[Entry]:
    header: list[str] | None = None
    for number, (values, formulas) in enumerate(rows, start=1):
        if number > MAX_ROWS or len(values) > MAX_COLUMNS:
            detail = (
                f"超过 {MAX_ROWS:,} 行或 {MAX_COLUMNS:,} 列 · more than {MAX_ROWS:,} rows or {MAX_COLUMNS:,} columns"
            )
            raise InvalidRecord(detail, place=0)
        place = f"工作表 {title} 第 {number} 行 · sheet {title}, row {number}"
        problem = _problem(values, formulas)
        row = _texts(values)
        if problem is None and not row:
            continue
        if header is None:
            if problem is not None:
                raise InvalidRecord(f"表头 · header: {problem}", place=0)
            header = names_of(row)
            check_header(header)
        else:
            yield Bad(place, problem) if problem is not None else check_row(place, header, row)


def _problem(values: SheetRow, formulas: SheetRow) -> str | None:
    """What is wrong with a cell of the row, naming the cell. A stored empty text has the type ``str`` and no value."""
    for value, formula in zip(values, formulas, strict=True):
        if value.value is None and formula.data_type == "f" and value.data_type != "str":
            return (
                f"单元格 {formula.coordinate} 的公式没有存下的值,请用表格软件打开并保存 · the formula in cell "
                f"{formula.coordinate} has no stored value; open and save the file in a spreadsheet program"
            )
        if value.data_type == "e":
            return f"单元格 {value.coordinate} 是错误值 · cell {value.coordinate} holds an error value"
    return None


def _texts(values: SheetRow) -> list[str]:
    """The cells as texts, without the empty ones at the end."""
    return trimmed([_text(cell.value) for cell in values])


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return value.isoformat() if isinstance(value, date | time) else str(unescape(str(value)))
