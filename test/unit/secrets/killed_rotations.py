"""Replaces the master key of a copy of a data directory, and is killed at its nth step; for each n that there is.

    python killed_rotations.py TEMPLATE DIRECTORY

A step is whatever changes something on disk: the moments just before and just after each call below. Each copy is left
in DIRECTORY/<n> as the kill found it; the last one came to its end.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from sqlalchemy.orm import Session

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.control.keys import Keys
from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.store import Database

steps_left = 0


def step() -> None:
    global steps_left
    steps_left -= 1
    if steps_left < 0:
        os.kill(os.getpid(), signal.SIGKILL)


def stepping(owner: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        step()
        result = original(*arguments, **options)
        step()
        return result

    setattr(owner, name, call)


def rotate(data: Path) -> None:
    db = Database.at(data / "airbyte.db")
    # No rule of this one asks for more than the database and the box.
    context = cast(Context, type("Parts", (), {"db": db, "box": Box.load(data / "master.key")}))
    for owner, name in ((os, "fsync"), (os, "replace"), (os, "open"), (Session, "flush"), (Session, "commit")):
        stepping(owner, name)
    Keys(context, None).rotate()


def main() -> None:
    global steps_left
    template, root = Path(sys.argv[1]), Path(sys.argv[2])
    for number in range(200):
        data = root / f"{number:03}"
        shutil.copytree(template, data)
        pid = os.fork()
        if pid == 0:
            steps_left = number
            rotate(data)
            os._exit(0)
        if os.waitpid(pid, 0)[1] == 0:
            return
    raise SystemExit("it has more steps than anybody thought")


if __name__ == "__main__":
    main()
