"""Which job began a generation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("states", sa.Column("begun_by", sa.Integer(), nullable=True))
    # A job that is not over goes on with what its first attempt began.
    op.execute(
        "UPDATE states SET begun_by = (SELECT jobs.id FROM jobs WHERE jobs.connection_id = states.connection_id "
        "AND jobs.status IN ('pending', 'running', 'incomplete') AND jobs.started_at IS NOT NULL)"
    )
