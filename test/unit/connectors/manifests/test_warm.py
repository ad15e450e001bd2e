"""The warm parent's side of forking, with nothing to import."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from resource_airbyte import process
from resource_airbyte.engine.connectors.manifests.cdk import SHIM
from resource_airbyte.engine.connectors.manifests.warm import _Parent

# The shim as the warm parent of a connector that does nothing but run.
PARENT = """
import importlib.util, socket, sys, time, types
name = ""
for part in ("airbyte_cdk", "sources", "declarative", "concurrent_declarative_source"):
    name = f"{name}.{part}".strip(".")
    sys.modules[name] = types.ModuleType(name)
sys.modules["airbyte_cdk.entrypoint"] = types.ModuleType("airbyte_cdk.entrypoint")
spec = importlib.util.spec_from_file_location("shim", sys.argv[1])
shim = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shim)
shim.main = lambda arguments: time.sleep(60)
shim.serve(socket.socket(fileno=int(sys.argv[2])), 60)
"""


@pytest.fixture
def parent() -> Iterator[_Parent]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-c", PARENT, str(SHIM), str(theirs.fileno())]
        child = process.start(command, env=process.environment(), pass_fds=[theirs.fileno()])
    found = _Parent(child, ours)
    yield found
    found.end()


def test_a_forked_connector_can_be_ended_in_the_moment_when_it_is_there(parent: _Parent) -> None:
    def fork_and_end() -> None:
        forked = parent.fork([], [], {})
        codes.append(forked.end(grace=0))
        for stream in (forked.stdout, forked.stderr):
            assert stream is not None
            stream.close()

    codes: list[int] = []
    for _ in range(30):
        thread = threading.Thread(target=fork_and_end, daemon=True)
        thread.start()
        thread.join(20)
    assert codes == [-9] * 30
