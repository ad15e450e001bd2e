"""Waiting for a job whose Airbyte is away for a moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from resource_airbyte.cli.content import progress
from resource_airbyte.errors import NotRunning, RuntimeFault, Unauthorized


class Events(list[str]):
    """A view that keeps what it is told."""

    def show(self, *_: object) -> None:
        """Nobody looks."""

    def event(self, sentence: str) -> None:
        self.append(sentence)

    def close(self) -> None:
        """Nothing is open."""


def client(*answers: object) -> Any:
    """A client whose jobs answer these, one after the other; the last one again and again."""
    left = list(answers)

    def answer(_: int, *, wait: float) -> object:
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, Exception):
            raise now
        return now

    return SimpleNamespace(jobs=SimpleNamespace(get_without_logs=answer))


def done() -> Any:
    job = SimpleNamespace(status="succeeded", id=7, waits=None)
    return SimpleNamespace(job=job, attempts=[])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOOK", 0.001)


def test_an_airbyte_that_is_back_soon_costs_the_watcher_nothing() -> None:
    view = Events()
    away = (NotRunning("Airbyte is not running"), RuntimeFault("the connection broke"))
    info, watched = progress.watch(client(*away, done()), 7, view, None, patience=60)
    assert info.job.status == "succeeded"
    assert not watched.timed_out
    assert [each for each in view if "waiting" in each] == [
        "Airbyte is not running; waiting for it up to 60 s, the job is not lost"
    ]


@pytest.mark.parametrize("patience", [0.0, 0.01])
def test_one_that_stays_away_is_an_error(patience: float) -> None:
    with pytest.raises(NotRunning):
        progress.watch(client(NotRunning("Airbyte is not running")), 7, Events(), None, patience=patience)


def test_a_refusal_is_not_waited_for() -> None:
    with pytest.raises(Unauthorized):
        progress.watch(client(Unauthorized("no")), 7, Events(), None, patience=60)
