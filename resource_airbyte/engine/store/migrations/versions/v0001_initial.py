"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

UUID: sa.types.TypeEngine[str] = sa.String(36)
MOMENT: sa.types.TypeEngine[float] = sa.Double()
JSON = sa.JSON(none_as_null=True)
UNFINISHED = sa.text("status IN ('pending', 'running', 'incomplete')")


def upgrade() -> None:
    actors()
    connections()
    jobs()


def actors() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", UUID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.UniqueConstraint("slug", name="uq_workspaces_slug"),
    )
    op.create_table(
        "definitions",
        sa.Column("id", UUID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("repository", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("documentation_url", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_definitions"),
    )
    op.create_table(
        "specifications",
        sa.Column("definition_id", UUID, nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("definition_id", "version", name="pk_specifications"),
    )
    op.create_table(
        "actors",
        sa.Column("id", UUID, nullable=False),
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("definition_id", UUID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("configuration", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("tombstone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_actors_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_actors"),
    )
    op.create_index("ix_actors_workspace_id_kind", "actors", ["workspace_id", "kind"])
    op.create_table(
        "catalogs",
        sa.Column("id", UUID, nullable=False),
        sa.Column("actor_id", UUID, nullable=False),
        sa.Column("configuration_hash", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name="fk_catalogs_actor_id"),
        sa.PrimaryKeyConstraint("id", name="pk_catalogs"),
    )
    key = ["actor_id", "configuration_hash", "version"]
    op.create_index("ix_catalogs_actor_id_configuration_hash_version", "catalogs", key)


def connections() -> None:
    op.create_table(
        "connections",
        sa.Column("id", UUID, nullable=False),
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("source_id", UUID, nullable=False),
        sa.Column("destination_id", UUID, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("namespace_definition", sa.String(), nullable=False),
        sa.Column("namespace_format", sa.String(), nullable=True),
        sa.Column("prefix", sa.String(), nullable=True),
        sa.Column("schedule_type", sa.String(), nullable=False),
        sa.Column("schedule_data", JSON, nullable=True),
        sa.Column("sync_catalog", JSON, nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_connections_workspace_id"),
        sa.ForeignKeyConstraint(["source_id"], ["actors.id"], name="fk_connections_source_id"),
        sa.ForeignKeyConstraint(["destination_id"], ["actors.id"], name="fk_connections_destination_id"),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
    )
    op.create_index("ix_connections_source_id", "connections", ["source_id"])
    op.create_index("ix_connections_destination_id", "connections", ["destination_id"])
    op.create_table(
        "states",
        sa.Column("connection_id", UUID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_states_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "kind", "namespace", "name", name="pk_states"),
    )


def jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", UUID, nullable=False),
        sa.Column("config_type", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("streams", JSON, nullable=True),
        sa.Column("refresh_mode", sa.String(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_jobs_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_connection_id_created_at", "jobs", ["connection_id", "created_at"])
    op.create_index(
        "uq_jobs_unfinished",
        "jobs",
        ["connection_id"],
        unique=True,
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.create_table(
        "attempts",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("stats", JSON, nullable=True),
        sa.Column("failures", JSON, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_attempts_job_id"),
        sa.PrimaryKeyConstraint("job_id", "number", name="pk_attempts"),
    )
