"""The rules that the texts under ``data/`` keep. Reading them checks the schema of every line."""

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest

from nlp_service.knowledge.article import ArticleCreate
from nlp_service.text.personal_data import mask
from training.build.texts import read_texts
from training.data.duplicates import near_duplicate_pairs
from training.data.example import ASPECTS
from training.data.sources import Review, Ticket, read_lines, read_records
from training.search.pairs import Query, Wordings

DATA = Path(__file__).parents[1] / "data"
TICKETS = read_records(DATA / "tickets", Ticket)
REVIEWS = read_records(DATA / "reviews", Review)
WORDINGS = read_lines(DATA / "search" / "wordings.jsonl", Wordings)
QUERIES = read_lines(DATA / "search" / "queries.jsonl", Query)
ARTICLES: list[dict[str, Any]] = [
    json.loads(line)
    for file in sorted((DATA / "knowledge").glob("*.jsonl"))
    for line in file.read_text("utf-8").split("\n")
    if line
]

each_set = pytest.mark.parametrize("records", [TICKETS, REVIEWS], ids=["tickets", "reviews"])
Records = list[Ticket] | list[Review]


def shares(values: list[str]) -> dict[str, float]:
    return {value: count / len(values) for value, count in Counter(values).items()}


def test_there_are_at_least_four_thousand_tickets() -> None:
    assert len(TICKETS) >= 4000


def test_the_tickets_are_of_at_least_twenty_five_products() -> None:
    assert len({ticket.product for ticket in TICKETS}) >= 25


def test_there_are_at_least_two_and_a_half_thousand_reviews() -> None:
    assert len(REVIEWS) >= 2500


def test_no_id_stands_twice_in_any_of_the_files() -> None:
    ids = Counter(record.id for records in (TICKETS, REVIEWS, WORDINGS, QUERIES) for record in records)
    assert [number for number, count in ids.items() if count > 1] == []


def test_at_most_five_texts_in_a_thousand_have_a_near_duplicate() -> None:
    texts = [record.text for records in (TICKETS, REVIEWS) for record in records]
    pairs = near_duplicate_pairs(texts, 0.5)
    assert len({index for pair in pairs for index in pair}) <= 0.005 * len(texts), [texts[i] for i, _ in pairs]


@each_set
def test_no_opening_phrase_begins_more_than_one_text_in_a_hundred(records: Records) -> None:
    openings = shares([record.text[:4] for record in records])
    assert {opening: share for opening, share in openings.items() if share > 0.01} == {}


@pytest.mark.parametrize(
    ("label", "share"), [("fault", 0.40), ("feature_request", 0.30), ("question", 0.18), ("other", 0.12)]
)
def test_the_share_of_tickets_labelled(label: str, share: float) -> None:
    assert shares([ticket.label for ticket in TICKETS])[label] == pytest.approx(share, abs=0.03)


@each_set
def test_at_least_thirty_five_texts_in_a_hundred_are_hard(records: Records) -> None:
    assert sum(record.hard for record in records) / len(records) >= 0.35


@each_set
@pytest.mark.parametrize(("language", "share"), [("zh", 0.85), ("en", 0.10), ("mixed", 0.05)])
def test_the_share_of_texts_in(language: str, share: float, records: Records) -> None:
    found = shares([record.language.removesuffix("-Hant") for record in records])
    assert found[language] == pytest.approx(share, abs=0.03)


@each_set
def test_some_texts_are_in_traditional_chinese(records: Records) -> None:
    assert any(record.language == "zh-Hant" for record in records)


def test_there_are_tickets_of_every_severity() -> None:
    assert {ticket.severity for ticket in TICKETS} == {"blocking", "degraded", "minor"}


def test_there_are_tickets_of_every_sentiment() -> None:
    assert {ticket.sentiment for ticket in TICKETS} == {"negative", "neutral", "positive"}


def test_every_aspect_is_spoken_of_with_every_polarity() -> None:
    found = {(aspect, polarity) for review in REVIEWS for aspect, polarity in review.aspects.items()}
    assert found == set(product(ASPECTS, ("negative", "neutral", "positive")))


@each_set
def test_no_text_holds_personal_data(records: Records) -> None:
    assert [record.id for record in records if mask(record.text) != record.text] == []


def test_no_query_holds_personal_data() -> None:
    assert [query.id for query in QUERIES if mask(query.query) != query.query] == []


def test_no_wording_holds_personal_data() -> None:
    texts = [text for group in WORDINGS for text in (*group.same, *group.different)]
    assert [text for text in texts if mask(text) != text] == []


def test_the_article_of_every_query_exists() -> None:
    known = {article["external_id"] for article in ARTICLES}
    assert [query.id for query in QUERIES if query.external_id not in known] == []


def test_no_wording_stands_on_both_sides_of_its_group() -> None:
    assert [group.id for group in WORDINGS if set(group.same) & set(group.different)] == []


def test_no_article_holds_personal_data() -> None:
    texts = [json.dumps(article, ensure_ascii=False) for article in ARTICLES]
    assert [text for text in texts if mask(text) != text] == []


def test_every_article_can_be_imported() -> None:
    assert [ArticleCreate.model_validate(article).title for article in ARTICLES] == [
        article["title"] for article in ARTICLES
    ]


def test_there_are_at_least_120_articles() -> None:
    assert len(ARTICLES) >= 120


def test_the_articles_cover_at_least_eight_products() -> None:
    assert len({article["product"] for article in ARTICLES}) >= 8


def test_external_ids_of_articles_are_unique() -> None:
    assert len({article["external_id"] for article in ARTICLES}) == len(ARTICLES)


def test_no_build_text_stands_in_both_files() -> None:
    assert not set(read_texts(DATA, "calibration")) & set(read_texts(DATA, "comparison"))


@pytest.mark.parametrize(("name", "count"), [("calibration", 160), ("comparison", 96)])
def test_the_number_of_build_texts(name: Literal["calibration", "comparison"], count: int) -> None:
    assert len(read_texts(DATA, name)) == count


@pytest.mark.parametrize("name", ["calibration", "comparison"])
def test_no_build_text_holds_personal_data(name: Literal["calibration", "comparison"]) -> None:
    assert [text for text in read_texts(DATA, name) if mask(text) != text] == []
