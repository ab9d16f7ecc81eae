"""Who changes articles, and what may become of them by it."""

from dataclasses import dataclass

from nlp_service.errors import Forbidden

NOT_REVIEWED = (
    "没有 knowledge:review 权限时,文章只能是草稿或保持待审、退回状态:请用 submit 提交审核 · "
    "without knowledge:review an article can only be a draft, or stay in review or rejected: submit it for review"
)
REVIEWED = (
    "没有 knowledge:review 权限时,不能修改已发布或已归档的文章,除非同时改回草稿 · "
    "without knowledge:review a published or archived article is changed only by making it a draft again: "
    "give status draft as well"
)
STILL_TO_REVIEW = frozenset({"draft", "in_review", "rejected"})


@dataclass(frozen=True)
class Author:
    """Who changes articles: the name that versions keep, and whether what this person writes counts as reviewed."""

    name: str | None = None
    reviews: bool = True

    def check(self, before: str | None, after: str) -> None:
        """Raise Forbidden when a changed article may not go from one status to the other; `before` is none if new.

        Without the right to review, nothing that nobody reviewed gets published, and what was stays as it was.
        """
        if self.reviews or after == "draft":
            return
        if before != after:
            raise Forbidden(NOT_REVIEWED)
        if after not in STILL_TO_REVIEW:
            raise Forbidden(REVIEWED)


ANYBODY = Author()
"""On the command line, and in development without a key."""
