"""Which open and solved tickets a ticket repeats, with real vectors."""

import pytest

from nlp_service.feedback.store import FeedbackStore
from nlp_service.inference.engine import Engine
from nlp_service.knowledge.duplicates import LIMIT, THRESHOLD, Duplicates
from nlp_service.knowledge.likeness import Likeness
from nlp_service.knowledge.relevance import UNFITTED
from nlp_service.knowledge.search import KnowledgeSearch
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Feedback
from tests.feedback.conftest import SOLVED, RecordingAnalyser, new_item, take
from tests.knowledge.conftest import FINGERPRINT, RecordingEncoder, SettableClock

TEXT = "付完钱订单还是待支付,倒计时到了自动取消,钱也没退"
AGAIN = "钱付了订单却显示待支付,倒计时一到就自动取消,钱没退"
OTHER = "夜间模式能不能跟随系统自动切换"


@pytest.fixture
def tickets(database: Database, engine: Engine, encoder: RecordingEncoder, clock: SettableClock) -> FeedbackStore:
    return FeedbackStore(database, RecordingAnalyser(engine), encoder, FINGERPRINT, clock)


@pytest.fixture
def duplicates(database: Database, engine: Engine, encoder: RecordingEncoder) -> Duplicates:
    dimension = engine.search_model.dimension
    return Duplicates(database, KnowledgeSearch(database, encoder, FINGERPRINT, dimension, ["published"], UNFITTED))


def _ids(duplicates: Duplicates, record: Feedback) -> list[int]:
    return [one.id for one in duplicates.of(record)]


def test_the_same_told_in_other_words_is_a_duplicate(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    first, second = take(tickets, text=TEXT, external_id="T-1"), take(tickets, text=AGAIN)
    (found,) = duplicates.of(second)
    assert (found.id, found.external_id, found.status) == (first.id, "T-1", "open")
    assert THRESHOLD <= found.score <= 1


def test_how_alike_they_must_be_belongs_to_the_encoder(
    database: Database, engine: Engine, encoder: RecordingEncoder, tickets: FeedbackStore
) -> None:
    never = Likeness(cosine=0.0, length=0.0, same_label=0.0, intercept=-9.0)
    dimension = engine.search_model.dimension
    search = KnowledgeSearch(database, encoder, FINGERPRINT, dimension, ["published"], UNFITTED, likeness=never)
    take(tickets, text=TEXT)
    assert _ids(Duplicates(database, search), take(tickets, text=TEXT)) == []


def test_another_matter_is_none(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    take(tickets, text=OTHER)
    assert _ids(duplicates, take(tickets, text=TEXT)) == []


def test_the_opposite_in_equal_words_is_none(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    first = take(tickets, text="如何开启消息免打扰")
    take(tickets, text="如何关闭消息免打扰")
    assert _ids(duplicates, take(tickets, text="如何开启消息免打扰?")) == [first.id]


def test_a_solved_ticket_is_found_as_such(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    take(tickets, text=TEXT, **SOLVED)
    assert [one.status for one in duplicates.of(take(tickets, text=TEXT))] == ["solved"]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [("商城", "商城", True), ("商城", "票务", False), ("商城", None, True), (None, "商城", True), (None, None, True)],
)
def test_two_products_have_no_matter_in_common(
    tickets: FeedbackStore, duplicates: Duplicates, one: str | None, other: str | None, found: bool
) -> None:
    first, second = take(tickets, text=TEXT, product=one), take(tickets, text=TEXT, product=other)
    assert _ids(duplicates, second) == ([first.id] if found else [])


def test_tickets_of_other_products_do_not_hide_those_of_the_own(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    first = take(tickets, text=AGAIN, product="商城")
    tickets.take_in([new_item(text=TEXT, product="票务") for _ in range(30)])
    assert _ids(duplicates, take(tickets, text=TEXT, product="商城")) == [first.id]


def test_a_review_is_never_one_and_has_none(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    review = take(tickets, text=TEXT, kind="review")
    ticket = take(tickets, text=TEXT)
    assert (_ids(duplicates, ticket), _ids(duplicates, review)) == ([], [])


def test_at_most_five_are_named_the_best_first(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    take(tickets, text=AGAIN)
    equal = tickets.take_in([new_item(text=TEXT) for _ in range(LIMIT)]).records
    assert _ids(duplicates, take(tickets, text=TEXT)) == [one.id for one in equal]


def test_of_several_each_names_only_earlier_ones(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    first, other, second = tickets.take_in([new_item(text=text) for text in (TEXT, OTHER, AGAIN)]).records
    named = [[one.id for one in found] for found in duplicates.earlier([first, other, second])]
    assert named == [[], [], [first.id]]


def test_many_equal_ones_after_it_do_not_hide_an_earlier_one(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    records = tickets.take_in([new_item(text=TEXT) for _ in range(40)]).records
    assert [one.id for one in duplicates.earlier([records[1]])[0]] == [records[0].id]


def test_of_an_older_ticket_a_later_one_is_a_duplicate_too(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    first, second = take(tickets, text=TEXT), take(tickets, text=AGAIN)
    assert _ids(duplicates, first) == [second.id]


def test_an_erased_ticket_is_found_no_longer(tickets: FeedbackStore, duplicates: Duplicates) -> None:
    take(tickets, text=TEXT, customer_id="C-1")
    second = take(tickets, text=TEXT)
    tickets.erase("C-1")
    assert _ids(duplicates, second) == []
