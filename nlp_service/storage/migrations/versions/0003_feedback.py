"""Tickets and reviews; vectors of two encoders side by side while one takes over from the other."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables, and name the record of a vector and of a change alike for articles and tickets."""
    op.alter_column("article_changes", "article_id", new_column_name="record_id")
    op.rename_table("article_vectors", "article_vectors_before")
    _vectors("article_vectors", "articles.id")
    op.execute(
        "INSERT INTO article_vectors (record_id, encoder, content, vector)"
        " SELECT article_id, encoder, content, vector FROM article_vectors_before"
    )
    op.drop_table("article_vectors_before")
    op.create_table(
        "feedback",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("external_id", sa.String(200), unique=True),
        sa.Column("customer_id", sa.String(200), index=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("product", sa.String(200), index=True),
        sa.Column("module", sa.String(200)),
        sa.Column("scenario", sa.Text, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("reported_as", sa.String(200)),
        sa.Column("rating", sa.Integer),
        sa.Column("label", sa.String(200), nullable=False, index=True),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("severity", sa.String(200), nullable=False),
        sa.Column("sentiment", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(20), nullable=False, index=True),
        sa.Column("solution", sa.Text),
        sa.Column("solved_at", sa.DateTime(timezone=True)),
        sa.Column("draft_id", NUMBER, sa.ForeignKey("articles.id", ondelete="SET NULL")),
        sa.CheckConstraint("kind IN ('ticket', 'review')", name="feedback_kind"),
        sa.CheckConstraint("status IN ('open', 'solved')", name="feedback_status"),
        sqlite_autoincrement=True,
    )
    _vectors("feedback_vectors", "feedback.id")
    op.create_table(
        "feedback_changes",
        sa.Column("sequence", NUMBER, primary_key=True),
        sa.Column("record_id", NUMBER, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop the tables; of an article's vectors one stays."""
    for table in ("feedback_changes", "feedback_vectors", "feedback"):
        op.drop_table(table)
    op.rename_table("article_vectors", "article_vectors_after")
    op.create_table(
        "article_vectors",
        sa.Column("article_id", NUMBER, sa.ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("encoder", sa.String(64), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.execute(
        "INSERT INTO article_vectors (article_id, encoder, content, vector)"
        " SELECT record_id, encoder, content, vector FROM article_vectors_after AS one WHERE encoder ="
        " (SELECT max(encoder) FROM article_vectors_after AS other WHERE other.record_id = one.record_id)"
    )
    op.drop_table("article_vectors_after")
    op.alter_column("article_changes", "record_id", new_column_name="article_id")


def _vectors(table: str, records: str) -> None:
    op.create_table(
        table,
        sa.Column("record_id", NUMBER, sa.ForeignKey(records, ondelete="CASCADE"), primary_key=True),
        sa.Column("encoder", sa.String(64), primary_key=True),
        sa.Column("content", sa.String(64), nullable=False, index=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
