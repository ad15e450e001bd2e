"""What a connector writes, read until the connector itself has ended: whoever outlives it cannot hold us up."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
import threading
from typing import IO, Any

from .... import process

PIPE_SIZE = 1 << 20


def widen(stream: IO[bytes] | None) -> None:
    """A larger pipe means fewer switches between writer and reader.

    Where the system has no such call, or no room, never mind.
    """
    resize: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)
    if resize is not None and stream is not None:
        try:
            fcntl.fcntl(stream.fileno(), resize, PIPE_SIZE)
        except OSError:
            return  # over the user's pipe quota: the default size works too


def waiting(stream: IO[bytes]) -> int:
    """How many bytes lie in a pipe, to be read."""
    return int(struct.unpack("i", fcntl.ioctl(stream.fileno(), termios.FIONREAD, bytes(4)))[0])


class Output:
    """A child's stdout, as a `read` that ends at the stream's end or with the child, whichever comes first.

    When the child ends, its group is killed, and so is whoever bears the same mark: daemons that left the group. Should
    one of them still hold the stream open (it may have cleared its environment), then only what was in the pipe by
    then is read.
    """

    def __init__(self, child: process.Child, mark: str = "") -> None:
        assert child.stdout is not None
        self._child, self._mark, self._stdout = child, mark, child.stdout
        widen(self._stdout)
        self._ended, tell = os.pipe()
        self._left: int | None = None
        self._poll: Any = select.poll()
        self._poll.register(self._stdout, select.POLLIN)
        self._poll.register(self._ended, select.POLLIN)
        self._reaper = threading.Thread(target=self._reap, args=(tell,), daemon=True, name="reaper")
        self._reaper.start()

    def _reap(self, tell: int) -> None:
        self._child.popen.wait()
        process.signal_group(self._child.pid, signal.SIGKILL)
        os.close(tell)  # whoever reads is told by this, on every system
        process.sweep(self._mark)

    def read(self, size: int) -> bytes:
        """What is there, at most `size` bytes; waits for some, and returns none at the end."""
        while self._left is None or self._left > 0:
            ready = dict(self._poll.poll(None if self._left is None else 0))
            if self._ended in ready:
                self._poll.unregister(self._ended)
                self._left = waiting(self._stdout)  # whatever comes after that is from somebody else
            elif self._stdout.fileno() in ready:
                return self._block(size)
            elif not ready:
                break
        return b""

    def _block(self, size: int) -> bytes:
        block = os.read(self._stdout.fileno(), size if self._left is None else min(size, self._left))
        if self._left is not None:
            self._left -= len(block)
        return block

    def wait(self, seconds: float | None = None) -> bool:
        """Until the child has ended and is cleared away; False when it has not by then."""
        self._reaper.join(seconds)
        return not self._reaper.is_alive()

    def close(self) -> None:
        """Only after the last `read`."""
        self._stdout.close()
        if self._ended >= 0:
            os.close(self._ended)
            self._ended = -1
