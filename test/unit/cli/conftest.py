"""The command line, run inside of the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from resource_airbyte.cli.app import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run one command line; its exit code and what it printed."""

    def go(*words: str) -> Ran:
        code = main(list(words))
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return go
