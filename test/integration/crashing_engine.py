"""An engine that dies, as by a kill -9, between a destination's commit and its own. Run as a child.

Arguments: the data directory, options (JSON), the job, and the number from which on a checkpoint is not stored.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from jobs_bench import Engine

from resource_airbyte.engine.orchestrator import run


def main(root: str, options: str, job: str, number: str) -> None:
    stored = run._save

    def save(tx: Any, connection_id: str, position: Any) -> bool:
        if position.sequence >= int(number):
            os._exit(99)
        return stored(tx, connection_id, position)

    run._save = save
    engine = Engine(Path(root), json.loads(options))
    engine.wait(int(job))


if __name__ == "__main__":
    main(*sys.argv[1:])
