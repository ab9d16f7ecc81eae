"""Votes: one for each person and article."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from nlp_service.errors import NotFound
from nlp_service.knowledge.store import ArticleStore
from nlp_service.knowledge.votes import ArticleVotes
from nlp_service.storage.database import Database
from nlp_service.storage.tables import Article, ArticleChange, ArticleVote
from tests.knowledge.conftest import SettableClock, new_article

UNKNOWN = 4711
VOTERS = 8


def _counts(article: Article) -> tuple[int, int]:
    return article.helpful, article.unhelpful


def test_an_article_has_no_votes_at_first(store: ArticleStore, draft: Article) -> None:
    assert _counts(store.get(draft.id)) == (0, 0)


def test_votes_are_counted_by_what_they_say(votes: ArticleVotes, draft: Article) -> None:
    votes.vote(draft.id, by="甲", helpful=True)
    votes.vote(draft.id, by="乙", helpful=False)
    assert _counts(votes.vote(draft.id, by="丙", helpful=True)) == (2, 1)


def test_a_second_vote_of_a_person_replaces_the_first(votes: ArticleVotes, draft: Article) -> None:
    votes.vote(draft.id, by="甲", helpful=True)
    assert _counts(votes.vote(draft.id, by="甲", helpful=False)) == (0, 1)


def test_the_same_vote_again_counts_once(votes: ArticleVotes, draft: Article) -> None:
    votes.vote(draft.id, by="甲", helpful=True)
    assert _counts(votes.vote(draft.id, by="甲", helpful=True)) == (1, 0)


def test_a_vote_has_the_time_when_it_was_given_last(
    votes: ArticleVotes, draft: Article, database: Database, clock: SettableClock
) -> None:
    votes.vote(draft.id, by="甲", helpful=True)
    clock.now += timedelta(days=1)
    votes.vote(draft.id, by="甲", helpful=True)
    with database.read() as session:
        assert session.get_one(ArticleVote, (draft.id, "甲")).at == clock.now


def test_a_person_may_vote_on_many_articles(votes: ArticleVotes, store: ArticleStore, draft: Article) -> None:
    other = store.create(new_article())
    votes.vote(draft.id, by="甲", helpful=True)
    votes.vote(other.id, by="甲", helpful=False)
    assert [_counts(article) for article in store.page()[0]] == [(0, 1), (1, 0)]


def test_a_vote_does_not_date_the_article(votes: ArticleVotes, draft: Article) -> None:
    assert votes.vote(draft.id, by="甲", helpful=True).updated_at == draft.updated_at


def test_a_vote_is_a_change_that_other_processes_follow(
    votes: ArticleVotes, draft: Article, database: Database
) -> None:
    votes.vote(draft.id, by="甲", helpful=True)
    with database.read() as session:
        assert list(session.scalars(select(ArticleChange.record_id))) == [draft.id, draft.id]


def test_votes_go_with_their_article(
    votes: ArticleVotes, draft: Article, store: ArticleStore, database: Database
) -> None:
    votes.vote(draft.id, by="甲", helpful=True)
    store.delete(draft.id)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(ArticleVote)) == 0


def test_an_unknown_article_is_not_found(votes: ArticleVotes) -> None:
    with pytest.raises(NotFound, match=str(UNKNOWN)):
        votes.vote(UNKNOWN, by="甲", helpful=True)


def test_no_vote_of_several_at_once_is_lost(votes: ArticleVotes, draft: Article, store: ArticleStore) -> None:
    def vote(number: int) -> None:
        votes.vote(draft.id, by=f"同事{number}", helpful=number % 2 == 0)

    with ThreadPoolExecutor(VOTERS) as threads:
        list(threads.map(vote, range(VOTERS)))
    assert _counts(store.get(draft.id)) == (VOTERS // 2, VOTERS // 2)
