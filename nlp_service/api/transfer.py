"""``/v1/knowledge/import`` and ``/v1/knowledge/export``: articles from and to files."""

import io
import json
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.datastructures import UploadFile

from nlp_service.api.deps import PROBLEMS, AuthorDep, StoreDep
from nlp_service.errors import InvalidRecord, InvalidText
from nlp_service.knowledge.author import Author
from nlp_service.knowledge.formats.export import ExportFormat, Selection, export
from nlp_service.knowledge.formats.importing import Importer
from nlp_service.knowledge.formats.registry import DOCUMENTS, read
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad, Entry, Good, check
from nlp_service.knowledge.store import ArticleStore, ImportCounts
from nlp_service.storage.database import Database
from nlp_service.storage.statuses import ArticleStatus

router = APIRouter(prefix="/v1/knowledge", tags=["knowledge"])
MAX_IMPORT = 1000
MEDIA_TYPES: dict[ExportFormat, str] = {
    "jsonl": "application/x-ndjson; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


async def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


DatabaseDep = Annotated[Database, Depends(_database)]


class ImportRequest(BaseModel):
    """Articles to import; each is checked by itself, so a bad one does not stop the others."""

    model_config = ConfigDict(extra="forbid")

    articles: Annotated[list[Any], Field(min_length=1, max_length=MAX_IMPORT)]


class Rejected(BaseModel):
    """A record that was not imported."""

    index: Annotated[int, Field(ge=0, description="position in the input, from 0")]
    place: Annotated[str | None, Field(description="line, row, section or page of an uploaded file")] = None
    reason: str


class ImportResponse(BaseModel):
    """What the import did."""

    created: int
    updated: int
    unchanged: int
    rejected: list[Rejected]


class ExportQuery(BaseModel):
    """Which articles, and in which form."""

    model_config = ConfigDict(extra="forbid")

    format: ExportFormat = "jsonl"
    status: ArticleStatus | None = None
    product: Text | None = None


_UPLOAD = f"JSONL (UTF-8), CSV (UTF-8, GB 18030), or a document: {', '.join(DOCUMENTS)}"
_IMPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["articles"],
                    "additionalProperties": False,
                    "properties": {
                        "articles": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MAX_IMPORT,
                            "items": {"$ref": "#/components/schemas/ArticleCreate"},
                        }
                    },
                }
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": _UPLOAD}},
                }
            },
        },
    }
}
_EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "all articles, as a file",
        "content": {media.partition(";")[0]: {"schema": {"type": "string"}} for media in MEDIA_TYPES.values()},
    },
    422: PROBLEMS[422],
}


@router.post("/import", responses=PROBLEMS, openapi_extra=_IMPORT_BODY)
async def import_articles(
    request: Request, store: StoreDep, database: DatabaseDep, author: AuthorDep
) -> ImportResponse:
    """导入文章 · import up to 1,000 articles as JSON, or as an uploaded file: JSONL, CSV, XLSX, or a document.

    Articles whose external_id is known are updated. Bad records are listed with index and reason; the good ones count.
    A record of a file that has no external_id gets one made from a hash of its content, so that the same file again
    changes nothing; in JSON it is a new article each time. Every section of a document is an article, known by the name
    of the file and its headings.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        name, content = await _upload(request)
        return await run_in_threadpool(lambda: _store_file(Importer(store, database, author), name, content))
    body = await request.body()
    return await run_in_threadpool(lambda: _store_json(store, author, body))


@router.get("/export", response_class=StreamingResponse, responses=_EXPORTED)
def export_articles(query: Annotated[ExportQuery, Query()], database: DatabaseDep) -> StreamingResponse:
    """导出文章 · all articles as JSON Lines or CSV, in the form that import reads, as a download."""
    pages = export(database, query.format, Selection(query.status, query.product))
    first = list(islice(pages, 2))  # read before the answer begins, so that a busy database is still told as an error
    name = f"knowledge.{query.format}"
    return StreamingResponse(
        (page.text for page in chain(first, pages)),
        media_type=MEDIA_TYPES[query.format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _store_json(store: ArticleStore, author: Author, body: bytes) -> ImportResponse:
    entries = _from_json(body)
    articles = [entry.article for entry in entries if isinstance(entry, Good)]
    return _response(store.import_articles(articles, author=author), entries)


def _store_file(importer: Importer, name: str, content: bytes) -> ImportResponse:
    entries = _from_file(PurePosixPath(name.replace("\\", "/")).name, content)
    importer.add([entry.article for entry in entries if isinstance(entry, Good)])
    return _response(importer.counts, entries)


def _response(counts: ImportCounts, entries: Sequence[Entry]) -> ImportResponse:
    return ImportResponse(
        created=counts.created,
        updated=counts.updated,
        unchanged=counts.unchanged,
        rejected=[
            Rejected(index=index, place=entry.place or None, reason=entry.reason)
            for index, entry in enumerate(entries)
            if isinstance(entry, Bad)
        ],
    )


def _from_json(body: bytes) -> list[Entry]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "请求体不是有效的 JSON · the body is not valid JSON") from error
    try:
        given = ImportRequest.model_validate(content)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
    return [check("", record) for record in given.articles]


async def _upload(request: Request) -> tuple[str, bytes]:
    """Name and content of the uploaded file."""
    try:
        async with request.form(max_files=1, max_fields=1) as form:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                raise InvalidText("缺少上传文件 · the form has no file", field="file")
            name, content = upload.filename or "", await upload.read()
    except UnicodeError as error:  # a charset that no text can be in, such as `undefined`
        raise HTTPException(400, "表单无法解析 · the form cannot be parsed") from error
    return name, content


def _from_file(name: str, content: bytes) -> list[Entry]:
    try:
        entries = list(islice(read(Source(name, io.BytesIO(content))), MAX_IMPORT + 1))
    except InvalidRecord as error:
        raise InvalidText(str(error), field="file") from error
    if not 1 <= len(entries) <= MAX_IMPORT:
        raise InvalidText(f"须有 1 至 {MAX_IMPORT} 条记录 · needs 1 to {MAX_IMPORT} records", field="file")
    return entries
