"""Runs the migrations on the connection, and in the transaction, that `migrate.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from resource_airbyte.engine.store.migrate import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
