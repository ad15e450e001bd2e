"""The parent's end of an attempt: start the process, hand it its assignment, listen until it has ended."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

from ... import process
from ..connectors.children import scratch
from ..connectors.children.shortage import Shortage
from . import assignment as wire
from .memory import Guard, Usage

ENDING = 10.0  # seconds that a process may take to end after its last word
QUIET = 300.0  # seconds without a word after which its process is taken for stuck: it has one every few seconds
BLOCK = 1 << 18


class Conversation:
    """One running attempt. `stop` and `kill` may be called from any thread, `begin` and `messages` from one."""

    def __init__(self, job: wire.Assignment, line: Callable[[str], None]) -> None:
        """Starts the process; it does nothing yet."""
        ours, theirs = socket.socketpair()
        self._socket, self._job, self._mark, self._write = ours, job, job.mark, threading.Lock()
        self._begun = self._ended = False
        self._shortage = Shortage()
        ours.settimeout(QUIET)
        # Whether it was ended because it had said nothing for so long.
        self.stuck = False
        # Whether it was ended from outside, for whatever reason.
        self.killed = False
        with theirs:
            self._child = process.start(
                process.python("resource_airbyte.engine.main.attempt", str(theirs.fileno())),
                env=process.part_environment({process.MARK: job.mark}),
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        self.pid = self._child.pid
        assert self._child.stderr is not None
        self._tail = process.Tail(self._child.stderr, line=line)
        self._guard = Guard(self.pid, job.mark, job.memory_limit, self.kill)

    def begin(self) -> None:
        """Hand it its assignment, which a process that hangs as it starts never takes."""
        self._send(self._job)
        self._begun = True

    def messages(self) -> Iterator[list[wire.FromAttempt]]:
        """What the attempt says, as many messages at a time as have come, until its end of the socket closes."""
        rest = b""
        while block := self._receive():
            *lines, rest = (rest + block).split(b"\n")
            if lines:
                yield [wire.from_attempt(line) for line in lines]

    def ack(self, number: int) -> None:
        self._send(wire.Ack(number))

    def stop(self, *, drain: bool) -> None:
        """Ask it to end: at its next checkpoint, or now. One that has not begun has nothing to bring to an end."""
        if self._begun:
            self._send(wire.Stop(drain))
        else:
            self.kill()

    def kill(self) -> None:
        """End it and its connectors now."""
        if self._ended:
            return  # its number may be somebody else's by now
        self.killed = True
        self._child.end(grace=0)
        process.sweep(self._mark)

    @property
    def overrun(self) -> Usage | None:
        """What it took when it was ended because that was too much."""
        return self._guard.overrun

    def shortage(self, code: int) -> str | None:
        """What happened to it, if the system ended it because memory ran out."""
        return self._shortage.told(code)

    def end(self) -> tuple[int, str]:
        """Wait for the process to end, clear up after it, and return its exit code and last words on stderr."""
        try:
            code = self._child.wait(ENDING)
        except process.DeadlineExceeded:
            code = self._child.end(grace=0)
        self._ended = True
        self._guard.close()
        process.sweep(self._mark)  # connectors that it could not end any more, and daemons that they made
        scratch.sweep()  # what those had for temporary files
        self._socket.close()
        return code, self._tail.text()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(BLOCK)
        except TimeoutError:
            self._silent()
            return b""
        except ConnectionResetError:
            return b""  # killed with something unread on its side: the same as an end

    def _silent(self) -> None:
        self.stuck = True
        self.kill()

    def _send(self, message: wire.FromParent) -> None:
        data = wire.encode(message) + b"\n"
        try:
            with self._write:
                self._socket.sendall(data)
        except TimeoutError:
            self._silent()
        except OSError:
            return  # it has ended; whoever listens to `messages` finds out, and why
