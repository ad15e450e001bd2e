"""The orchestrator of the stack passes the suite of all orchestrators: a real Temporal, a real PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_workers import Workers, workers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "acceptance"))
from orchestrator_acceptance import *  # noqa: F403
from orchestrator_acceptance import SETTINGS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with workers(tmp_path_factory.mktemp("temporal"), **SETTINGS) as made:
        yield made
