"""A daemon of a test's own, with everything that it has below one directory."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from resource_airbyte import process
from resource_airbyte.client.endpoint import Endpoint
from resource_airbyte.runtime import instance
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings


class Daemon:
    """The embedded runtime: one process is the server, and runs the attempts."""

    def __init__(self, root: Path, options: dict[str, Any]) -> None:
        self.root = root
        flags = {"data_dir": str(root / "data"), "cache_dir": str(root / "cache"), "webapp_port": 0, "server_port": 0}
        settings = Settings.load({**options, **flags}, cwd=root)
        self.runtime, self._data = Embedded(settings), DataDir(settings.data_dir)
        self.runtime.install()
        self.runtime.start()
        self.mark = self._instance().mark

    def _instance(self) -> instance.Instance:
        found = instance.recorded(self._data)
        assert found is not None
        return found

    def endpoint(self) -> Endpoint:
        return self.runtime.endpoint()

    def start(self) -> None:
        self.runtime.start()

    def stop(self) -> None:
        outcome = self.runtime.stop(timeout=60.0)
        assert "killed" not in outcome.details, outcome

    def pid(self) -> int:
        return self._instance().pid

    def kill(self) -> None:
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        assert process.wait_gone(pid, 10)

    def processes(self) -> list[int]:
        return list(process.marked(f"{self.mark}:"))
