"""The review of articles: steps, votes and versions; what stands in the database becomes version 1."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables and keep the present content of every article."""
    op.create_table(
        "article_events",
        sa.Column("id", NUMBER, primary_key=True),
        _article_id(index=True),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "article_votes",
        _article_id(primary_key=True),
        sa.Column("by", sa.String(100), primary_key=True),
        sa.Column("helpful", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "article_versions",
        _article_id(primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("scenario", sa.Text, nullable=False),
        sa.Column("solution", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("product", sa.String(200)),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("by", sa.String(100)),
        sa.Column("reason", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(
        "INSERT INTO article_versions"
        " (article_id, number, title, problem, scenario, solution, tags, product, action, at)"
        " SELECT id, 1, title, problem, scenario, solution, tags, product, 'existing', updated_at FROM articles"
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("article_versions", "article_votes", "article_events"):
        op.drop_table(table)


def _article_id(*, primary_key: bool = False, index: bool = False) -> sa.Column[int]:
    article = sa.ForeignKey("articles.id", ondelete="CASCADE")
    return sa.Column("article_id", NUMBER, article, primary_key=primary_key, index=index, nullable=False)
