"""The states of an article; apart from the tables, as the settings name them and need no database."""

from typing import Literal, get_args

ArticleStatus = Literal["draft", "in_review", "published", "rejected", "archived"]
STATUSES: tuple[ArticleStatus, ...] = get_args(ArticleStatus)
