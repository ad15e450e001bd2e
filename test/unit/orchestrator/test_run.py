"""An attempt and the process that it is, when something goes wrong on our side."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from resource_airbyte.engine.orchestrator import run
from resource_airbyte.errors import NotFound


class Conversation:
    """Says one thing, and notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self) -> None:
        """Nothing hangs here."""

    def messages(self) -> Iterator[list[Any]]:
        yield ["something"]

    def kill(self) -> None:
        self.told.append("kill")

    def end(self) -> tuple[int, str]:
        self.told.append("end")
        return 0, ""


@pytest.mark.parametrize("wrong", [NotFound("the source is gone"), OSError(28, "No space left on device")])
def test_an_attempt_that_cannot_be_stored_does_not_go_on_beside_the_next_one(
    wrong: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise wrong

    conversation = Conversation()
    monkeypatch.setattr(run, "Conversation", lambda *_: conversation)
    monkeypatch.setattr(run.Run, "_handle", fail)
    one: Any = run.Run(SimpleNamespace(), 1, lambda: None)  # type: ignore[arg-type]
    with pytest.raises(type(wrong)):
        one._converse(SimpleNamespace(assignment=None), None, run.Heard())
    assert conversation.told == ["kill", "end"]
