"""Marks of changes, by which a snapshot of the indexes knows its database; when each search encoder was last used."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

CHANGES = ("article_changes", "feedback_changes")


def upgrade() -> None:
    """Add them. Of the changes that there are the last ones get a mark: no snapshot will end before them."""
    for table in CHANGES:
        op.add_column(table, sa.Column("mark", sa.BigInteger))
        op.execute(
            sa.text(
                f"UPDATE {table} SET mark = :mark WHERE sequence = (SELECT max(sequence) FROM {table})"  # noqa: S608
            ).bindparams(sa.bindparam("mark", secrets.randbits(63), sa.BigInteger))
        )
    op.create_table(
        "search_encoders",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("search_encoders")
    for table in CHANGES:
        op.drop_column(table, "mark")
