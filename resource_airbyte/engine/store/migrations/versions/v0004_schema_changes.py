"""What a connection knows of changes in its source's schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("connections", sa.Column("schema_change", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("connections", sa.Column("schema_tried_at", sa.Double(), nullable=True))
    op.add_column("connections", sa.Column("backfill", sa.JSON(none_as_null=True), nullable=True))
