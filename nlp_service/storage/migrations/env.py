"""Alembic's entry: runs migrations on the connection that `Database.migrate` passes in."""

from alembic import context

from nlp_service.storage import access_tables  # noqa: F401 - its tables are of this schema too
from nlp_service.storage.tables import Table

connection = context.config.attributes["connection"]
# Both databases can roll DDL back. In one transaction, no other process migrates between two migrations.
context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
