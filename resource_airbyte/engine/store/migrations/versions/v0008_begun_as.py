"""In which sync mode a job began a generation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("states", sa.Column("begun_as", sa.String(), nullable=True))
