"""Articles, their vectors and the sequence of their changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "articles",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("external_id", sa.String(200), unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("scenario", sa.Text, nullable=False),
        sa.Column("solution", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("product", sa.String(200), index=True),
        sa.Column("status", sa.String(20), nullable=False, index=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('draft', 'in_review', 'published', 'rejected', 'archived')", name="articles_status"
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "article_vectors",
        sa.Column("article_id", NUMBER, sa.ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("encoder", sa.String(64), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "article_changes",
        sa.Column("sequence", NUMBER, primary_key=True),
        sa.Column("article_id", NUMBER, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("article_changes", "article_vectors", "articles"):
        op.drop_table(table)
