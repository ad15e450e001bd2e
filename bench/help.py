"""`--help` against importing what any such program imports: at most 1.5 times as long.

python bench/help.py
"""

from __future__ import annotations

import sys

import pairs
from instance import ROOT

LIMIT = 1.5


def main() -> None:
    env = {**pairs.clean(), "PYTHONPATH": str(ROOT)}
    ours = [sys.executable, "-m", "resource_airbyte", "--help"]
    theirs = [sys.executable, "-c", "import typer, rich.console"]
    timing = pairs.alternate(lambda: pairs.run(ours, env), lambda: pairs.run(theirs, env), pairs=15)
    held = timing.report("--help / import typer, rich.console", LIMIT)
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
