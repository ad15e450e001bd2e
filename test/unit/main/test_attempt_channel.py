"""An attempt ends with its parent, however that ended."""

from __future__ import annotations

import os
import socket

import pytest

from resource_airbyte import process
from resource_airbyte.engine.main.attempt import Channel
from resource_airbyte.engine.orchestrator import assignment as wire


class Ended(Exception):
    pass


@pytest.mark.parametrize("unread", [False, True])
def test_an_attempt_ends_when_its_parent_is_gone_also_with_words_that_it_never_read(
    monkeypatch: pytest.MonkeyPatch, unread: bool
) -> None:
    swept: list[str] = []

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(process, "sweep", swept.append)
    parent, ours = socket.socketpair()
    channel = Channel(ours.detach())
    if unread:
        channel.send(wire.Beat())
    parent.close()
    with pytest.raises(Ended):
        channel.listen(lambda drain: None)
    assert swept == [process.mine()]  # its connectors first
    channel._incoming.close()
    channel._socket.close()
