"""What every table has in common."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import JSON, MetaData
from sqlalchemy.orm import DeclarativeBase

# Names that do not depend on the database, so that a migration can refer to a constraint on either.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Ids are UUIDs as text but for jobs, times are epoch seconds, JSON columns hold wire shapes."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {dict[str, Any]: JSON(none_as_null=True), list[Any]: JSON(none_as_null=True)}  # noqa: RUF012


def new_id() -> str:
    return str(uuid.uuid4())


def now() -> float:
    """Epoch seconds."""
    return time.time()
