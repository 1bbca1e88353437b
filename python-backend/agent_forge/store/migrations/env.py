"""Runs migrations on the connection that `Database.migrate` hands over."""

from alembic import context
from sqlalchemy import Connection

from agent_forge.store.schema import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
