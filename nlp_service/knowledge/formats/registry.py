"""Which module reads which kind of file."""

from collections.abc import Iterator
from importlib import import_module

from nlp_service.errors import InvalidRecord
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Entry

RECORDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv_table"}
"""Read line by line, whatever their size."""
DOCUMENTS = {
    ".xlsx": "xlsx",
    ".md": "markdown",
    ".html": "html_page",
    ".htm": "html_page",
    ".docx": "docx",
    ".pdf": "pdf",
}
"""Need the libraries of the extra `import`, and are limited in size."""
SUFFIXES = frozenset(RECORDS | DOCUMENTS)
MAX_DOCUMENT_BYTES = 50_000_000
INSTALL = "pip install 'nlp-service[import]'"
KINDS = f".jsonl 与 .csv,以及文档 {' '.join(DOCUMENTS)} · only .jsonl and .csv, and documents: {' '.join(DOCUMENTS)}"


def read(source: Source) -> Iterator[Entry]:
    """Every record of a file in order, one after the other; bad ones with their place and reason.

    Raises InvalidRecord, possibly after some records, when the file or the rest of it cannot be read; a whole document
    over 50 MB, one that is damaged, or one whose library is not installed.
    """
    module = (RECORDS | DOCUMENTS).get(source.suffix)
    if module is None:
        raise InvalidRecord(f"只支持 {KINDS}", place=0)
    if source.suffix in DOCUMENTS and (size := source.size()) > MAX_DOCUMENT_BYTES:
        limit = MAX_DOCUMENT_BYTES // 1_000_000
        raise InvalidRecord(f"文档最大 {limit} MB,实际 {size:,} 字节 · a document may have {limit} MB at most", place=0)
    try:
        reader = import_module(f"nlp_service.knowledge.formats.{module}")
    except ModuleNotFoundError as error:
        detail = f"读取 {source.suffix} 需要 {error.name} · reading {source.suffix} needs {error.name}: {INSTALL}"
        raise InvalidRecord(detail, place=0) from error
    entries: Iterator[Entry] = reader.read(source)
    yield from entries
