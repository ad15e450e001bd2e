"""The scripted connector, ready to be launched."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte import process
from resource_airbyte.engine.connectors.launch import Launch

SCRIPTED = Path(__file__).resolve().parents[2] / "connectors" / "scripted" / "scripted.py"
# -S -E: half the start-up time of a test's child, and it needs nothing from site-packages.
ARGV = (sys.executable, "-S", "-E", str(SCRIPTED))


@pytest.fixture
def scripted() -> Callable[..., Launch]:
    """A launch of the scripted connector; `on` are its steps for commands that come without a configuration."""

    def launch(**on: list[Any]) -> Launch:
        env = process.environment({"SCRIPTED": json.dumps({"on": on})})
        return Launch(ARGV, env, name="source-scripted", version="1.0.0")

    return launch


def steps(verb: str, *given: Any, **more: Any) -> dict[str, Any]:
    """A configuration that makes the connector do these steps when it gets this command."""
    return {"on": {verb: list(given)}, **more}


@pytest.fixture(name="steps")
def _steps() -> Callable[..., dict[str, Any]]:
    return steps
