"""No log line and no metric ever holds what a request holds, whatever becomes of the request."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from nlp_service.app import create_app
from nlp_service.inference.batching import Batcher, Pending
from nlp_service.inference.encoder import Side
from nlp_service.inference.engine import Engine
from nlp_service.settings import Settings
from nlp_service.storage.database import Database
from tests.observability.requests import TEXT, TRACES, Call, Fill, calls

JSON = {"Content-Type": "application/json"}
HEADERS = {"X-Request-ID": TEXT, "User-Agent": TEXT, "X-Forwarded-For": TEXT, "traceparent": TEXT, "tracestate": TEXT}
ARTICLE = {"title": TEXT, "problem": TEXT, "solution": TEXT}
TICKET = {"kind": "ticket", "text": TEXT, "customer_id": "canary7q4"}
Answers = list[tuple[Call, int]]


class QuotingBatcher(Batcher):
    """An encoder that fails with a message that quotes the texts."""

    def submit(self, texts: Sequence[str], side: Side = "query") -> Pending:
        broken: Future[object] = Future()
        broken.set_exception(ValueError(f"cannot encode {list(texts)} as {side}"))
        return Pending(broken, 0)  # type: ignore[arg-type]  # never has a result


@pytest.fixture
def logging_all(settings: Settings) -> Settings:
    """Settings under which most is logged, as JSON."""
    return settings.model_copy(update={"log_level": "debug", "log_format": "json"})


@contextmanager
def _broken(engine: Engine) -> Iterator[Engine]:
    """The engine with encoders that fail."""
    quoting = [QuotingBatcher(batcher.encoder) for batcher in engine.batchers.values()]
    by_fingerprint = {batcher.encoder.bundle.fingerprint: batcher for batcher in quoting}
    yield Engine(by_fingerprint[engine.search_model.fingerprint], by_fingerprint, engine.heads)
    for batcher in quoting:
        batcher.close()


def _ask(client: TestClient, fill: Fill) -> set[int]:
    """Send a request to every call; gives the statuses of the answers."""
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    contract = client.get("/openapi.json").json()
    return {
        client.request(call.method, call.path, params=call.query, json=call.body, headers=headers).status_code
        for call in calls(contract, fill)
    }


def _traces(client: TestClient, capture: pytest.CaptureFixture[str]) -> set[str]:
    """What of the text stands in the logs or the metrics."""
    written = capture.readouterr()
    assert '"event": "request"' in written.err
    seen = written.out + written.err + client.get("/metrics").text
    return {trace for trace in TRACES if trace in seen or ascii(trace).strip("'") in seen}


@pytest.mark.parametrize("fill", ["needed", "all", "wrong"])
def test_no_call_leaves_its_text(
    logging_all: Settings, engine: Engine, fill: Fill, capfd: pytest.CaptureFixture[str]
) -> None:
    with TestClient(create_app(logging_all, engine)) as client:
        client.post("/v1/knowledge", json=ARTICLE)
        client.post("/v1/feedback", json={"items": [TICKET]})
        statuses = _ask(client, fill)
        assert ({200, 201} if fill == "needed" else {422}) <= statuses
        assert _traces(client, capfd) == set()


def test_no_unexpected_error_leaves_its_text(
    logging_all: Settings, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    with _broken(engine) as broken:
        app = create_app(logging_all, broken)
        with TestClient(app, raise_server_exceptions=False) as client:
            assert 500 in _ask(client, "needed")
            assert _traces(client, capfd) == set()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_unexpected_error_is_logged_with_its_class_and_place(
    logging_all: Settings, engine: Engine, log_format: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with _broken(engine) as broken:
        app = create_app(logging_all.model_copy(update={"log_format": log_format}), broken)
        with TestClient(app) as client:
            client.post("/v1/embeddings", json={"input": [TEXT]}, headers={"X-Request-ID": "T-500"})
    written = capfd.readouterr().err
    assert {part for part in ("unexpected", "T-500", "ValueError", "embeddings.py") if part not in written} == set()


def test_no_error_of_the_database_leaves_its_text(
    logging_all: Settings, engine: Engine, postgres_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = logging_all.model_copy(update={"database_url": postgres_url})
    with TestClient(create_app(settings, engine), raise_server_exceptions=False) as client:
        database: Database = client.app.state.database  # type: ignore[attr-defined]
        with database.write() as session:  # a violation is told with the row that violates it
            session.execute(text("ALTER TABLE feedback ADD CHECK (text = '')"))
        assert client.post("/v1/feedback", json={"items": [TICKET]}).status_code == 500
        assert _traces(client, capfd) == set()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f"title,problem,solution\n{TEXT},,\n{TEXT}"),
        ("a.jsonl", f'{{"title": "{TEXT}"}}\n{{"{TEXT}'),
        ("a.md", f"# {TEXT}\n\n{TEXT}"),
        ("a.xlsx", TEXT),
        ("a.docx", TEXT),
        ("a.pdf", f"%PDF-1.7\n1 0 obj << /Title ({TEXT}) >>\n{TEXT}"),
        (f"{TEXT}.canary7q4", TEXT),
    ],
)
def test_no_file_leaves_its_text(
    logging_all: Settings, engine: Engine, name: str, content: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with TestClient(create_app(logging_all, engine)) as client:
        client.post("/v1/knowledge/import", files={"file": (name, content.encode())})
        assert _traces(client, capfd) == set()


@pytest.mark.parametrize("body", [TEXT, f'["{TEXT}"]', f'{{"{TEXT}', f'"{TEXT}"'])
def test_no_body_that_cannot_be_read_leaves_its_text(
    logging_all: Settings, engine: Engine, body: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with TestClient(create_app(logging_all, engine)) as client:
        assert client.post("/v1/classify", content=body.encode(), headers=JSON).status_code in {400, 422}
        assert client.request("CANARY7Q4", f"/{TEXT}").status_code in {404, 405}
        assert _traces(client, capfd) == set()
