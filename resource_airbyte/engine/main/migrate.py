"""Makes what the engine keeps: the master key and the metadata database. Run by install, as a process of its own.

    python -m resource_airbyte.engine.main.migrate

It may run again at any time: what is there stays, an older database is brought up to date. On an error it prints one
line of JSON (`{"error": {"code", "message", "hint"}}`) and exits 1.
"""

from __future__ import annotations

import sys

from resource_airbyte.engine import wiring
from resource_airbyte.engine.main import program
from resource_airbyte.engine.secrets import Box
from resource_airbyte.settings import Settings


def prepare(settings: Settings) -> None:
    """The key first: a database without its key would be of no use."""
    key = settings.data_dir / "master.key"
    if not key.exists():
        Box.create(key)
    Box.load(key)
    db = wiring.open_database(settings)
    try:
        db.prepare()
    finally:
        db.close()


if __name__ == "__main__":
    sys.exit(program.answer(prepare))
