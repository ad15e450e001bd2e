"""What states were, and what streams still owe."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("states", sa.Column("floor", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "state_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_state_history_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_state_history"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_state_history_connection_id", "state_history", ["connection_id"])
