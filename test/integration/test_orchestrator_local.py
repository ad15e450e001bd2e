"""The local orchestrator passes the suite of all orchestrators, inside the daemon of the embedded runtime."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resource_airbyte import process
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.runtime import instance
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "acceptance"))
pytest.register_assert_rewrite("orchestrator_acceptance")
from orchestrator_acceptance import *  # noqa: E402, F403
from orchestrator_acceptance import PATIENCE, SETTINGS  # noqa: E402


class Daemon:
    """The embedded runtime: one process is the server, and runs the attempts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        flags = {"data_dir": str(root / "data"), "cache_dir": str(root / "cache"), "webapp_port": 0, "server_port": 0}
        settings = Settings.load({**SETTINGS, **flags}, cwd=root)
        self.runtime, self._data = Embedded(settings), DataDir(settings.data_dir)
        self.runtime.install()
        self.runtime.start()
        self._mark = self._instance().mark

    def _instance(self) -> instance.Instance:
        found = instance.recorded(self._data)
        assert found is not None
        return found

    def endpoint(self) -> Endpoint:
        return self.runtime.endpoint()

    def start(self) -> None:
        self.runtime.start()

    def stop(self) -> None:
        outcome = self.runtime.stop(timeout=PATIENCE)
        assert "killed" not in outcome.details, outcome

    def kill(self) -> None:
        pid = self._instance().pid
        os.kill(pid, signal.SIGKILL)
        assert process.wait_gone(pid, 10)

    def processes(self) -> list[int]:
        return list(process.marked(f"{self._mark}:"))


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    root = tmp_path_factory.mktemp("local")
    made = Daemon(root)
    yield made
    made.runtime.stop(force=True)
    shutil.rmtree(root / "data")
