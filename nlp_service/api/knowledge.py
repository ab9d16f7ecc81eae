"""``/v1/knowledge``: articles."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.datastructures import UploadFile

from nlp_service.api.deps import PROBLEM, PROBLEMS, StoreDep
from nlp_service.errors import InvalidRecord, InvalidText
from nlp_service.knowledge.article import ArticleCreate, ArticlePublic, ArticleUpdate
from nlp_service.knowledge.records import Parsed, parse_csv, parse_jsonl
from nlp_service.knowledge.store import ArticleStore
from nlp_service.storage.tables import ArticleStatus

router = APIRouter(prefix="/v1/knowledge", tags=["knowledge"])
IMPORT_PATH = "/v1/knowledge/import"
MAX_IMPORT = 1000
MAX_ID = 2**63 - 1
ArticleId = Annotated[int, Path(ge=1, le=MAX_ID)]
INVALID: dict[int | str, dict[str, Any]] = {422: PROBLEMS[422]}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "no such article", **PROBLEM}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"description": "external_id is taken", **PROBLEM}}
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class ArticlePage(BaseModel):
    """A page of articles, the newest first."""

    total: int
    articles: list[ArticlePublic]


class ImportRequest(BaseModel):
    """Articles to import; each is checked by itself, so a bad one does not stop the others."""

    model_config = ConfigDict(extra="forbid")

    articles: Annotated[list[Any], Field(min_length=1, max_length=MAX_IMPORT)]


class Rejected(BaseModel):
    """A record that was not imported."""

    index: Annotated[int, Field(ge=0, description="position in the input, from 0")]
    reason: str


class ImportResponse(BaseModel):
    """What the import did."""

    created: int
    updated: int
    unchanged: int
    rejected: list[Rejected]


class ListQuery(BaseModel):
    """Which articles, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    status: ArticleStatus | None = None
    product: Text | None = None
    tag: Text | None = None
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@router.post("", status_code=201, responses=PROBLEMS | CONFLICT)
def create(new: ArticleCreate, store: StoreDep, response: Response) -> ArticlePublic:
    """新建文章 · create an article; it is found by the next search."""
    article = ArticlePublic.model_validate(store.create(new))
    response.headers["Location"] = f"/v1/knowledge/{article.id}"
    return article


@router.get("", responses=INVALID)
def list_articles(query: Annotated[ListQuery, Query()], store: StoreDep) -> ArticlePage:
    """列出文章 · list articles, the newest first."""
    articles, total = store.page(
        status=query.status, product=query.product, tag=query.tag, offset=query.offset, limit=query.limit
    )
    return ArticlePage(total=total, articles=[ArticlePublic.model_validate(article) for article in articles])


@router.get("/{article_id}", responses=INVALID | NOT_FOUND)
def read(article_id: ArticleId, store: StoreDep) -> ArticlePublic:
    """查看文章 · read an article."""
    return ArticlePublic.model_validate(store.get(article_id))


@router.patch("/{article_id}", responses=PROBLEMS | NOT_FOUND | CONFLICT)
def update(article_id: ArticleId, changes: ArticleUpdate, store: StoreDep) -> ArticlePublic:
    """修改文章 · change some fields of an article."""
    return ArticlePublic.model_validate(store.update(article_id, changes))


@router.delete("/{article_id}", status_code=204, responses=INVALID | NOT_FOUND)
def delete(article_id: ArticleId, store: StoreDep) -> None:
    """删除文章 · delete an article."""
    store.delete(article_id)


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
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "JSONL or CSV, UTF-8"}
                    },
                }
            },
        },
    }
}


@router.post("/import", responses=PROBLEMS, openapi_extra=_IMPORT_BODY)
async def import_articles(request: Request, store: StoreDep) -> ImportResponse:
    """导入文章 · import up to 1,000 articles as JSON, or as an uploaded JSONL or CSV file.

    Articles whose external_id is known are updated. Bad records are listed with index and reason; the good ones count.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        name, content = await _upload(request)
        return await run_in_threadpool(lambda: _store(store, _from_file(name, content)))
    body = await request.body()
    return await run_in_threadpool(lambda: _store(store, _from_json(body)))


def _store(store: ArticleStore, parsed: Parsed) -> ImportResponse:
    counts = store.import_articles([article for _, article in parsed.articles])
    return ImportResponse(
        created=counts.created,
        updated=counts.updated,
        unchanged=counts.unchanged,
        rejected=[Rejected(index=index, reason=text) for index, text in parsed.rejected],
    )


def _from_json(body: bytes) -> Parsed:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "请求体不是有效的 JSON · the body is not valid JSON") from error
    try:
        given = ImportRequest.model_validate(content)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
    parsed = Parsed()
    for index, record in enumerate(given.articles):
        parsed.add(index, record)
    return parsed


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


def _from_file(name: str, content: bytes) -> Parsed:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidText(f"第 {error.start} 字节不是 UTF-8 · not UTF-8 at byte {error.start}", field="file") from error
    parsed = _parse(_format_of(name), text)
    count = len(parsed.articles) + len(parsed.rejected)
    if not 1 <= count <= MAX_IMPORT:
        raise InvalidText(f"须有 1 至 {MAX_IMPORT} 条记录,实际 {count} · needs 1 to {MAX_IMPORT} records", field="file")
    return parsed


def _format_of(name: str) -> Literal["jsonl", "csv"]:
    suffix = name.rpartition(".")[2].lower()
    if suffix in {"jsonl", "ndjson"}:
        return "jsonl"
    if suffix == "csv":
        return "csv"
    raise InvalidText("文件名须以 .jsonl 或 .csv 结尾 · the file name must end in .jsonl or .csv", field="file")


def _parse(form: Literal["jsonl", "csv"], text: str) -> Parsed:
    if form == "jsonl":
        return parse_jsonl(text)
    try:
        return parse_csv(text)
    except InvalidRecord as error:
        raise InvalidText(str(error), field="file") from error
