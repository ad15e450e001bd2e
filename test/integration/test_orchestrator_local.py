"""The local orchestrator passes the suite of all orchestrators, inside the daemon of the embedded runtime."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from own_daemon import Daemon

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "acceptance"))
from orchestrator_acceptance import *  # noqa: F403
from orchestrator_acceptance import SETTINGS


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    root = tmp_path_factory.mktemp("local")
    made = Daemon(root, SETTINGS)
    yield made
    made.runtime.stop(force=True)
    shutil.rmtree(root / "data")
