"""What still counts of the epochs before, for a state that several streams share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("states", sa.Column("formers", sa.Text(), nullable=True))
