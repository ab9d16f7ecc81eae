"""Alembic's entry: runs migrations on the connection that `Database.migrate` passes in."""

from alembic import context

from nlp_service.storage.tables import Table

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
