"""Says whether an engine would refuse to start with these settings, also while one runs with others.

    python -m resource_airbyte.engine.main.check

It changes nothing. On an error it prints one line of JSON, as `migrate` does, and exits 1.
"""

from __future__ import annotations

import sys

from sqlalchemy.exc import SQLAlchemyError

from resource_airbyte.engine import wiring
from resource_airbyte.engine.main import program
from resource_airbyte.settings import Settings


def check(settings: Settings) -> None:
    """UsageError says what is wrong. A database that only a start would bring up to date is not asked."""
    db = wiring.open_database(settings)
    try:
        wiring.check(settings, db)
    except SQLAlchemyError:
        return
    finally:
        db.close()


if __name__ == "__main__":
    sys.exit(program.answer(check))
