"""Tickets and reviews from files: every record is taken in once, or told with its place and the reason."""

import io
import json

import pytest

from nlp_service.errors import InvalidRecord
from nlp_service.feedback.importing import FeedbackImporter, Good
from nlp_service.feedback.store import FeedbackStore
from nlp_service.knowledge.formats.source import Source
from nlp_service.knowledge.records import Bad
from tests.feedback.conftest import SOLVED, take

LABELS = ("fault", "feature_request", "question", "other")
HEADER = "kind,text,external_id,status,solution,solved_at,rating,tags\n"
ROW = "ticket,导出超时,T-1,solved,分批导出,2025-10-01 08:00:00,2,导出;超时\n"


@pytest.fixture
def importer(store: FeedbackStore) -> FeedbackImporter:
    return FeedbackImporter(store, LABELS)


def _read(importer: FeedbackImporter, name: str, content: str | bytes) -> list[Good | Bad]:
    data = content.encode() if isinstance(content, str) else content
    return list(importer.read(Source(name, io.BytesIO(data))))


def _good(importer: FeedbackImporter, name: str, content: str | bytes) -> list[Good]:
    entries = _read(importer, name, content)
    assert [entry for entry in entries if isinstance(entry, Bad)] == []
    return [entry for entry in entries if isinstance(entry, Good)]


def _lines(*records: object) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _bad(importer: FeedbackImporter, name: str, content: str) -> Bad:
    (entry,) = _read(importer, name, content)
    assert isinstance(entry, Bad)
    return entry


class TestReading:
    def test_a_row_is_a_record(self, importer: FeedbackImporter) -> None:
        (entry,) = _good(importer, "a.csv", HEADER + ROW)
        item = entry.item
        assert (item.text, item.status, item.solution, item.rating, item.tags) == (
            "导出超时",
            "solved",
            "分批导出",
            2,
            ["导出", "超时"],
        )

    def test_a_csv_file_of_a_spreadsheet_in_gb18030_is_read(self, importer: FeedbackImporter) -> None:
        assert _good(importer, "a.csv", (HEADER + ROW).encode("gb18030"))[0].item.text == "导出超时"

    @pytest.mark.parametrize("name", ["a.jsonl", "a.NDJSON"])
    def test_a_line_is_a_record(self, importer: FeedbackImporter, name: str) -> None:
        (entry,) = _good(importer, name, _lines({"kind": "review", "text": "好用", "rating": 5}))
        assert (entry.item.kind, entry.item.rating) == ("review", 5)

    def test_a_bad_row_says_where_and_why(self, importer: FeedbackImporter) -> None:
        bad = _bad(importer, "a.csv", HEADER + "ticket,导出超时,T-1,solved,,,,\n")
        assert ("line 2" in bad.place, bad.reason.startswith("solution: ")) == (True, True)

    def test_a_rating_that_is_no_number_is_named(self, importer: FeedbackImporter) -> None:
        assert _bad(importer, "a.csv", "kind,text,rating\nreview,好用,gut\n").reason.startswith("rating: ")

    def test_a_label_that_the_model_does_not_know_is_told_which_there_are(self, importer: FeedbackImporter) -> None:
        bad = _bad(importer, "a.jsonl", _lines({"kind": "ticket", "text": "导出超时", "reported_as": "bug"}))
        assert bad.reason.endswith("should be one of: fault, feature_request, question, other")

    @pytest.mark.parametrize("header", ["kind\n", "kind,text,colour\n"])
    def test_a_wrong_header_is_told_which_columns_there_are(self, importer: FeedbackImporter, header: str) -> None:
        with pytest.raises(InvalidRecord, match="columns are text, kind, external_id"):
            _read(importer, "a.csv", header)

    def test_another_kind_of_file_is_refused(self, importer: FeedbackImporter) -> None:
        with pytest.raises(InvalidRecord, match=r"only \.jsonl, \.ndjson, \.csv"):
            _read(importer, "a.xlsx", b"")


class TestStoring:
    def _import(self, store: FeedbackStore, content: str) -> tuple[int, int, int]:
        importer = FeedbackImporter(store, LABELS)
        assert importer.add(_good(importer, "a.jsonl", content)) == []
        return importer.created, importer.updated, importer.unchanged

    def test_the_same_file_again_changes_nothing(self, store: FeedbackStore) -> None:
        content = _lines({"kind": "ticket", "text": "导出超时", "external_id": "T-1"}, {"kind": "review", "text": "好"})
        assert [self._import(store, content) for _ in range(2)] == [(2, 0, 0), (0, 0, 2)]

    def test_equal_records_without_external_id_stay_as_many_as_they_are(self, store: FeedbackStore) -> None:
        content = _lines(*[{"kind": "review", "text": "好用"}] * 3)
        assert [self._import(store, content) for _ in range(2)] == [(3, 0, 0), (0, 0, 3)]

    def test_a_ticket_without_external_id_that_was_solved_since_is_updated(self, store: FeedbackStore) -> None:
        ticket = {"kind": "ticket", "text": "导出超时", "created_at": "2025-10-01"}
        self._import(store, _lines(ticket))
        assert self._import(store, _lines({**ticket, **SOLVED})) == (0, 1, 0)

    def test_a_record_that_contradicts_what_is_stored_does_not_stop_the_others(self, store: FeedbackStore) -> None:
        take(store, external_id="1")
        importer = FeedbackImporter(store, LABELS)
        records = [{"kind": "review", "text": "好用", "external_id": name} for name in ("1", "2")]
        (bad,) = importer.add(_good(importer, "a.jsonl", _lines(*records)))
        assert ("line 1" in bad.place, "external_id is taken" in bad.reason, importer.created) == (True, True, 1)
