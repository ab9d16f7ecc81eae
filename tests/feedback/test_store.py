"""Store: tickets and reviews as they were given, each analysed once, all or nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select

from nlp_service.errors import Conflict, NotFound
from nlp_service.feedback.record import FeedbackItem, passage_of
from nlp_service.feedback.selection import Selection
from nlp_service.feedback.store import FeedbackStore, TakenIn
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.article import content_hash
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback, FeedbackChange, FeedbackVector
from tests.feedback.conftest import SOLVED, RecordingAnalyser, new_item, take
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, SettableClock

UNKNOWN = 4711
EARLIER = datetime(2025, 10, 1, 8, tzinfo=UTC)
FULL = {
    "external_id": "T-1",
    "customer_id": "C-7",
    "product": "报表",
    "module": "导出",
    "scenario": "月底结账时",
    "tags": ["导出", "超时"],
    "created_at": EARLIER,
    "rating": 2,
    "reported_as": "fault",
    "solved_at": EARLIER + timedelta(hours=2),
    **SOLVED,
}


def _changes(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(select(FeedbackChange.record_id).order_by(FeedbackChange.sequence)))


def _vectors(database: Database) -> dict[int, FeedbackVector]:
    with database.read() as session:
        return {row.record_id: row for row in session.scalars(select(FeedbackVector))}


def _count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count(Feedback.id))) or 0


def _counts(taken: TakenIn) -> tuple[int, int, int]:
    return taken.created, taken.updated, taken.unchanged


class TestTakingIn:
    def test_a_new_ticket_reads_as_it_was_given(self, store: FeedbackStore) -> None:
        given = new_item(**FULL)
        read = store.get(take(store, **FULL).id)
        assert {name: getattr(read, name) for name in FeedbackItem.model_fields} == given.model_dump()

    def test_results_keep_the_order(self, store: FeedbackStore) -> None:
        texts = ["第一条超时", "第二条卡顿", "第三条闪退"]
        records = store.take_in([new_item(text=text) for text in texts]).records
        assert [record.text for record in records] == texts

    def test_its_answers_are_the_models(self, store: FeedbackStore, engine: Engine) -> None:
        record = take(store, text="系统崩溃,全公司都登录不了!")
        pooled = engine.encode([record.text], ("classify", "severity", "sentiment"))
        (kind,) = engine.classifications(pooled)
        assert (record.label, record.severity, record.sentiment) == (
            kind.label,
            engine.severities(pooled)[0].label,
            engine.sentiments(pooled)[0].label,
        )
        assert record.confidence == pytest.approx(kind.confidence, abs=0.02)

    def test_models_see_the_masked_text(self, store: FeedbackStore, analyser: RecordingAnalyser) -> None:
        take(store, text="超时,请回电 13812345678")
        assert analyser.texts == ["超时,请回电 138****5678"]

    def test_the_vector_of_a_ticket_is_the_encoders(
        self, store: FeedbackStore, database: Database, engine: Engine
    ) -> None:
        record = take(store, scenario="月底结账时")
        row = _vectors(database)[record.id]
        passage = "导出报表时提示超时\n月底结账时"
        np.testing.assert_allclose(np.frombuffer(row.vector, "<f4"), engine.encode_passages([passage])[0], atol=1e-6)
        assert (row.encoder, row.content, passage_of(record)) == (FINGERPRINT, content_hash(passage), passage)

    def test_a_ticket_is_noted_in_the_sequence_of_changes(self, store: FeedbackStore, database: Database) -> None:
        ticket = take(store)
        assert _changes(database) == [ticket.id]

    def test_a_review_has_neither_vector_nor_change(self, store: FeedbackStore, database: Database) -> None:
        take(store, kind="review")
        assert (_vectors(database), _changes(database)) == ({}, [])

    def test_equal_tickets_without_external_id_are_two(self, store: FeedbackStore) -> None:
        assert _counts(store.take_in([new_item(), new_item()])) == (2, 0, 0)

    def test_equal_texts_are_analysed_and_encoded_once(
        self, store: FeedbackStore, analyser: RecordingAnalyser, encoder: RecordingEncoder
    ) -> None:
        store.take_in([new_item(), new_item()])
        assert (len(analyser.texts), len(encoder.texts)) == (1, 1)

    def test_a_passage_that_is_stored_is_not_encoded_again(
        self, store: FeedbackStore, encoder: RecordingEncoder
    ) -> None:
        take(store)
        take(store)
        assert len(encoder.texts) == 1

    def test_it_was_written_now_unless_it_says_when(self, store: FeedbackStore, clock: SettableClock) -> None:
        record = take(store)
        assert (record.created_at, record.received_at) == (clock.now, clock.now)

    def test_it_was_written_at_the_latest_when_it_was_solved(self, store: FeedbackStore) -> None:
        assert take(store, **SOLVED, solved_at=EARLIER).created_at == EARLIER

    def test_when_a_ticket_was_solved_before_it_came_is_not_made_up(self, store: FeedbackStore) -> None:
        assert take(store, **SOLVED).solved_at is None

    def test_when_one_cannot_be_encoded_none_is_stored(
        self, store: FeedbackStore, database: Database, encoder: RecordingEncoder
    ) -> None:
        encoder.breaks_at = "第二"
        with pytest.raises(RuntimeError):
            store.take_in([new_item(text="第一条超时"), new_item(text="第二条超时")])
        assert _count(database) == 0


class TestTakingInAgain:
    def test_the_same_again_changes_nothing(
        self, store: FeedbackStore, database: Database, analyser: RecordingAnalyser
    ) -> None:
        take(store, **FULL)
        assert _counts(store.take_in([new_item(**FULL)])) == (0, 0, 1)
        assert (len(_changes(database)), len(analyser.texts)) == (1, 1)

    @pytest.mark.parametrize("given", [{}, SOLVED, {"created_at": None, "status": "open"}], ids=str)
    def test_what_says_no_time_is_the_same_later(
        self, store: FeedbackStore, clock: SettableClock, given: dict[str, object]
    ) -> None:
        take(store, external_id="T-1", **given)
        clock.now += timedelta(days=1)
        assert _counts(store.take_in([new_item(external_id="T-1", **given)])) == (0, 0, 1)

    @pytest.mark.parametrize(
        ("field", "value"),
        [("product", "课堂"), ("tags", ["新"]), ("rating", None), ("scenario", ""), ("text", "闪退")],
    )
    def test_other_content_updates(self, store: FeedbackStore, field: str, value: object) -> None:
        before = take(store, **FULL)
        taken = store.take_in([new_item(**{**FULL, field: value})])
        assert (_counts(taken), taken.records[0].id) == ((0, 1, 0), before.id)
        assert getattr(store.get(before.id), field) == value

    def test_fields_that_are_not_given_stay(self, store: FeedbackStore) -> None:
        record = take(store, **FULL)
        store.take_in([new_item(external_id="T-1", product="课堂")])
        read = store.get(record.id)
        assert (read.product, read.module, read.status, read.solution) == ("课堂", "导出", "solved", "分批导出")

    def test_another_text_is_analysed_and_encoded(
        self, store: FeedbackStore, database: Database, analyser: RecordingAnalyser
    ) -> None:
        record = take(store, external_id="T-1")
        take(store, external_id="T-1", text="希望增加批量导出")
        assert analyser.texts == ["导出报表时提示超时", "希望增加批量导出"]
        assert _vectors(database)[record.id].content == content_hash("希望增加批量导出")

    def test_another_state_alone_is_not_analysed(self, store: FeedbackStore, analyser: RecordingAnalyser) -> None:
        take(store, external_id="T-1")
        take(store, external_id="T-1", **SOLVED)
        assert len(analyser.texts) == 1

    def test_an_open_ticket_that_comes_as_solved_is_solved_now(
        self, store: FeedbackStore, clock: SettableClock
    ) -> None:
        take(store, external_id="T-1")
        clock.now += timedelta(hours=1)
        record = take(store, external_id="T-1", **SOLVED)
        assert (record.status, record.solution, record.solved_at) == ("solved", "分批导出", clock.now)

    def test_a_solved_ticket_that_comes_as_open_loses_its_solution(self, store: FeedbackStore) -> None:
        take(store, **FULL)
        record = take(store, external_id="T-1", status="open")
        assert (record.status, record.solution, record.solved_at) == ("open", None, None)

    def test_a_null_solution_without_a_state_takes_none_away(self, store: FeedbackStore) -> None:
        take(store, **FULL)
        assert take(store, external_id="T-1", solution=None).solution == "分批导出"

    def test_within_one_call_the_last_counts(self, store: FeedbackStore) -> None:
        taken = store.take_in([new_item(external_id="T-1"), new_item(external_id="T-1", text="闪退")])
        assert (_counts(taken), store.get(taken.records[0].id).text) == ((1, 1, 0), "闪退")

    def test_an_external_id_of_the_other_kind_is_a_conflict_and_nothing_is_stored(
        self, store: FeedbackStore, database: Database
    ) -> None:
        take(store, external_id="1")
        with pytest.raises(Conflict, match="external_id is taken by feedback 1, which is a ticket"):
            store.take_in([new_item(), new_item(kind="review", external_id="1")])
        assert _count(database) == 1


class TestSteps:
    def test_a_ticket_is_resolved_now(self, store: FeedbackStore, clock: SettableClock) -> None:
        ticket = take(store)
        clock.now += timedelta(hours=1)
        store.resolve(ticket.id, "重启")
        read = store.get(ticket.id)
        assert (read.status, read.solution, read.solved_at) == ("solved", "重启", clock.now)

    def test_a_ticket_is_solved_after_it_was_written_whatever_the_clocks_say(
        self, store: FeedbackStore, clock: SettableClock
    ) -> None:
        ticket = take(store)
        clock.now -= timedelta(hours=1)
        record = store.resolve(ticket.id, "重启")
        assert record.created_at == record.solved_at

    def test_the_same_solution_again_changes_nothing(self, store: FeedbackStore, database: Database) -> None:
        ticket = take(store)
        first = store.resolve(ticket.id, "重启")
        assert store.resolve(ticket.id, "重启").solved_at == first.solved_at
        assert _changes(database) == [ticket.id] * 2

    def test_another_solution_is_a_conflict_that_names_the_state(self, store: FeedbackStore) -> None:
        ticket = take(store, **SOLVED)
        with pytest.raises(Conflict, match="is solved with another solution; reopen it first"):
            store.resolve(ticket.id, "重启")

    def test_a_ticket_is_open_again_without_solution(self, store: FeedbackStore) -> None:
        ticket = take(store, **SOLVED, solved_at=EARLIER)
        store.reopen(ticket.id)
        read = store.get(ticket.id)
        assert (read.status, read.solution, read.solved_at) == ("open", None, None)

    def test_reopening_is_noted_so_that_search_drops_it(self, store: FeedbackStore, database: Database) -> None:
        ticket = take(store, **SOLVED)
        store.reopen(ticket.id)
        assert _changes(database) == [ticket.id] * 2

    def test_reopening_an_open_ticket_changes_nothing(self, store: FeedbackStore, database: Database) -> None:
        ticket = take(store)
        store.reopen(ticket.id)
        assert _changes(database) == [ticket.id]

    def test_a_review_is_not_resolved(self, store: FeedbackStore) -> None:
        with pytest.raises(Conflict, match="is a review"):
            store.resolve(take(store, kind="review").id, "重启")

    def test_a_review_is_not_reopened(self, store: FeedbackStore) -> None:
        with pytest.raises(Conflict, match="is a review"):
            store.reopen(take(store, kind="review").id)

    def test_what_does_not_exist_is_not_found(self, store: FeedbackStore) -> None:
        with pytest.raises(NotFound, match=f"no feedback {UNKNOWN}"):
            store.get(UNKNOWN)


class TestPages:
    @pytest.fixture
    def ids(self, store: FeedbackStore) -> list[int]:
        """An open ticket, a solved one of another product, and a review, each written a day after the other."""
        days = [EARLIER + timedelta(days=number) for number in range(3)]
        items = [
            new_item(created_at=days[0], product="报表"),
            new_item(created_at=days[1], product="课堂", **SOLVED),
            new_item(created_at=days[2], product="报表", kind="review"),
        ]
        return [record.id for record in store.take_in(items).records]

    @pytest.mark.parametrize(
        ("selection", "expected"),
        [
            (Selection(), [2, 1, 0]),
            (Selection(kind="ticket"), [1, 0]),
            (Selection(status="solved"), [1]),
            (Selection(product="报表"), [2, 0]),
            (Selection(product="报表", kind="ticket"), [0]),
            (Selection(since=EARLIER + timedelta(days=1)), [2, 1]),
            (Selection(until=EARLIER + timedelta(days=1)), [0]),
            (Selection(since=EARLIER + timedelta(days=1), until=EARLIER + timedelta(days=2)), [1]),
            (Selection(label="no such label"), []),
        ],
        ids=str,
    )
    def test_a_page_holds_what_is_meant_the_last_first(
        self, store: FeedbackStore, ids: list[int], selection: Selection, expected: list[int]
    ) -> None:
        records, total = store.page(selection)
        assert ([record.id for record in records], total) == ([ids[place] for place in expected], len(expected))

    def test_a_label_selects(self, store: FeedbackStore, ids: list[int]) -> None:
        assert store.page(Selection(label=store.get(ids[0]).label))[1] == 3

    def test_a_page_is_a_part_and_the_total_is_all(self, store: FeedbackStore, ids: list[int]) -> None:
        records, total = store.page(Selection(), offset=1, limit=1)
        assert ([record.id for record in records], total) == ([ids[1]], 3)


class TestErasure:
    def test_everything_of_the_customer_is_deleted_and_nothing_else(
        self, store: FeedbackStore, clock: SettableClock
    ) -> None:
        mine = [take(store, customer_id="C-7"), take(store, customer_id="C-7", kind="review")]
        other = [take(store, customer_id="C-70"), take(store)]
        erasure = store.erase("C-7")
        assert (erasure.customer_id, erasure.deleted, erasure.at) == ("C-7", len(mine), clock.now)
        assert {record.id for record in store.page(Selection())[0]} == {record.id for record in other}

    def test_vectors_go_with_their_tickets(self, store: FeedbackStore, database: Database) -> None:
        take(store, customer_id="C-7")
        store.erase("C-7")
        assert _vectors(database) == {}

    def test_deleted_tickets_are_noted_so_that_indexes_drop_them(
        self, store: FeedbackStore, database: Database
    ) -> None:
        ticket = take(store, customer_id="C-7")
        take(store, customer_id="C-7", kind="review")
        store.erase("C-7")
        assert _changes(database) == [ticket.id] * 2

    def test_an_unknown_customer_has_nothing(self, store: FeedbackStore) -> None:
        take(store, customer_id="C-7")
        assert store.erase("C-8").deleted == 0

    def test_a_number_is_never_given_again(self, store: FeedbackStore) -> None:
        ticket = take(store, customer_id="C-7")
        store.erase("C-7")
        assert take(store).id > ticket.id
