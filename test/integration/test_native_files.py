"""The native destination of local files, killed at each of its steps, and with rows that are large."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resource_airbyte import process

HERE = Path(__file__).resolve().parent


SLOW = [
    pytest.param(mode, marks=pytest.mark.slow)
    for mode in ("truncate_stateless", "truncate", "widen", "truncate_in_turn", "widen_in_turn")
]


@pytest.mark.parametrize("mode", ["append", "stateless", *SLOW])
def test_a_kill_at_any_step_loses_and_doubles_nothing_and_shows_nothing_early(tmp_path: Path, mode: str) -> None:
    argv = [sys.executable, str(HERE / "native" / "files_kills.py"), str(tmp_path), mode]
    done = process.run(argv, timeout=55, env={**process.own_environment(), "PYTHONPATH": str(HERE.parents[1])})
    assert done.code == 0, done.stderr.decode()
    assert int(done.stdout) > 10  # so many steps there were
