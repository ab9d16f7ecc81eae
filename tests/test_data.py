"""The rules that the texts under ``data/`` keep."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest

from nlp_service.knowledge.article import ArticleCreate
from nlp_service.text.personal_data import mask
from training.build.texts import read_texts
from training.data.duplicates import near_duplicate_pairs
from training.data.sources import Review, Ticket, language, read_records

DATA = Path(__file__).parents[1] / "data"
TICKETS = read_records(DATA / "tickets", Ticket)
REVIEWS = read_records(DATA / "reviews", Review)
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


def test_there_are_at_least_a_thousand_tickets() -> None:
    assert len(TICKETS) >= 1000


@each_set
def test_ids_are_unique(records: Records) -> None:
    assert len({record.id for record in records}) == len(records)


@each_set
def test_no_two_texts_are_near_duplicates(records: Records) -> None:
    texts = [record.text for record in records]
    assert [(texts[i], texts[j]) for i, j in near_duplicate_pairs(texts, 0.5)] == []


@each_set
def test_no_opening_phrase_begins_more_than_three_texts_in_two_hundred(records: Records) -> None:
    openings = shares([record.text[:6] for record in records])
    assert {opening: share for opening, share in openings.items() if share > 0.015} == {}


@pytest.mark.parametrize(
    ("label", "least", "most"),
    [("fault", 0.35, 0.45), ("feature_request", 0.25, 0.35), ("question", 0.14, 0.22), ("other", 0.08, 0.16)],
)
def test_the_share_of_tickets_labelled(label: str, least: float, most: float) -> None:
    assert least <= shares([ticket.label for ticket in TICKETS])[label] <= most


@each_set
def test_at_least_thirty_five_texts_in_a_hundred_are_hard(records: Records) -> None:
    assert sum(record.hard for record in records) / len(records) >= 0.35


@each_set
def test_most_texts_are_chinese_and_some_are_not(records: Records) -> None:
    assert 0.80 <= shares([language(record.text) for record in records])["zh"] <= 0.92


@each_set
def test_no_text_holds_personal_data(records: Records) -> None:
    assert [record.id for record in records if mask(record.text) != record.text] == []


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
