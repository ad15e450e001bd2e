"""How long the engine lets the containers of a stack have when they are stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.stack.containers import Container
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.settings import Settings

WORKER = Container("w", "worker", 1, "running", "healthy", "image", {}, None, 0, False, 0)


@pytest.mark.parametrize(("timeout", "grace"), [(30.0, 35.0), (120.0, 125.0), (5.0, 5.0)])
def test_a_worker_that_has_had_its_time_ends_its_attempts_in_order_before_the_engine_kills_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout: float, grace: float
) -> None:
    given: list[float] = []
    monkeypatch.setattr(Stack, "_signal", lambda *_: None)

    def stopped(_: Stack, found: Sequence[Container], seconds: float) -> None:
        if found:
            given.append(seconds)

    monkeypatch.setattr(Stack, "find", lambda _, service: [WORKER] if service == "worker" else [])
    monkeypatch.setattr(Stack, "stop_these", stopped)
    data = tmp_path / "data"
    assert Stack(Settings.load({"data_dir": str(data)}, environ={}, cwd=tmp_path), DataDir(data)).stop(timeout)
    assert given == [grace]


@pytest.mark.parametrize(("timeout", "told"), [(0.1, ["SIGWINCH", "SIGTERM"]), (0.05, [])])
def test_workers_that_are_given_longer_than_they_would_take_are_told_of_it_and_told_again_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout: float, told: list[str]
) -> None:
    signals, over = list[str](), threading.Event()

    def kill(identity: str, name: str) -> None:
        assert identity == WORKER.identity
        signals.append(name)
        if name == "SIGTERM":
            over.set()

    monkeypatch.setattr(Stack, "engine", SimpleNamespace(client=SimpleNamespace(api=SimpleNamespace(kill=kill))))
    monkeypatch.setattr(Stack, "find", lambda _, service: [WORKER] if service == "worker" else [])
    monkeypatch.setattr(Stack, "stop_these", lambda _, found, __: over.wait(10) if found and told else None)
    data = tmp_path / "data"
    settings = Settings.load({"data_dir": str(data), "stop_timeout": 0.05}, environ={}, cwd=tmp_path)
    Stack(settings, DataDir(data)).stop(timeout)
    assert signals == told
