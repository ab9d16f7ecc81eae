"""A file of megabytes, one row in a hundred bad: every bad one is found, in constant memory."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from nlp_service.knowledge.formats.registry import read
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad

ROWS = 10_000
EVERY = 100
STEPS = "检查网络后重试，" * 25
"""Long, so that few rows make a large file: it is the rows that take time when memory is traced."""
FLAT = 500_000
"""Bytes; the file alone has eight times as many."""


def _is_bad(row: int) -> bool:
    return row % EVERY == EVERY - 1


def _csv_line(row: int) -> str:
    return f'第{row}篇,"提示超时, 第{row}次",{"" if _is_bad(row) else STEPS},KB-{row}\n'


def _jsonl_line(row: int) -> str:
    solution = "" if _is_bad(row) else STEPS
    record = {"title": f"第{row}篇", "problem": "提示超时", "solution": solution, "external_id": f"KB-{row}"}
    return json.dumps(record, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("name", "header", "line", "encoding"),
    [("a.csv", "title,problem,solution,external_id\n", _csv_line, "gb18030"), ("a.jsonl", "", _jsonl_line, "utf-8")],
    ids=["CSV", "JSONL"],
)
def test_a_large_file_is_read_in_constant_memory(
    tmp_path: Path, name: str, header: str, line: Callable[[int], str], encoding: str
) -> None:
    file = tmp_path / name
    with file.open("w", encoding=encoding) as stream:
        stream.write(header)
        stream.writelines(map(line, range(ROWS)))
    assert file.stat().st_size > 8 * FLAT
    bad = 0
    with file.open("rb") as content:
        entries = read(Source(name, content))
        next(entries)  # what is loaded once is loaded now
        tracemalloc.start()
        try:
            total = 1 + sum(1 for entry in entries if not isinstance(entry, Bad) or (bad := bad + 1))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (total, bad) == (ROWS, ROWS // EVERY)
    assert peak < FLAT
