"""Alembic's entry point. `Database.migrate()` hands in a connection that already holds the lock.

Configures no logging: the program that starts us owns that.
"""

from alembic import context
from sqlalchemy import Connection

from store.tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
