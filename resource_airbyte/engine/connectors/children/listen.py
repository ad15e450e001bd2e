"""Listening to a child that answers once: both its streams, its end and a deadline, in one loop and bounded memory."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from collections.abc import Callable

from .... import process
from ....protocol.reader import LineTooLong
from .output import waiting

BLOCK = 1 << 16
LONGEST_LINE = 64 << 20
STDERR_KEPT = 16 << 10


class Lines:
    """Cuts what comes in blocks into lines, none longer than `longest` bytes."""

    def __init__(self, take: Callable[[bytes], None], longest: int = LONGEST_LINE) -> None:
        self._take, self._longest = take, longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, block: bytes) -> None:
        first, *rest = block.split(b"\n")
        self._keep(first)
        for part in rest:
            self.end()
            self._keep(part)

    def end(self) -> None:
        """The line ends here: at a line feed, or at the end of the stream."""
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        if line.strip():
            self._take(line)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._longest:
            raise LineTooLong(self._longest)
        if part:
            self._parts.append(part)


class Listener:
    """Hands each line of a child's stdout to `line` until the child has ended, or its time is up."""

    def __init__(self, child: process.Child, line: Callable[[bytes], None], seconds: float) -> None:
        self._child = child
        self._lines = Lines(line)
        self._stderr = bytearray()
        self._end = process.deadline(seconds)
        self._left: dict[int, int] = {}

    def hurry(self, seconds: float) -> None:
        """From now on it has at most this long."""
        self._end = min(self._end, process.deadline(seconds))

    @property
    def stderr(self) -> str:
        """The last whole lines that it wrote there."""
        kept = bytes(self._stderr)
        if len(kept) == STDERR_KEPT:
            kept = kept.partition(b"\n")[2] or kept
        return kept.decode("utf-8", "replace").strip()

    def run(self, tick: Callable[[], None], every: float) -> int | None:
        """Listen to the end, calling `tick` every `every` seconds. Returns the exit code, None when its time was up.

        The child's group is gone afterwards, in any case.
        """
        ended, tell = os.pipe()
        threading.Thread(target=self._reap, args=(tell,), daemon=True, name="reaper").start()
        try:
            with selectors.DefaultSelector() as selector:
                return self._loop(selector, ended, tick, every)
        finally:
            self._child.end(grace=1.0 if self._child.code is None else 0)
            os.close(ended)
            for stream in (self._child.stdout, self._child.stderr):
                if stream is not None:
                    stream.close()

    def _reap(self, tell: int) -> None:
        """Wait for the child's end and say so by closing a pipe: that is what a selector hears on every system."""
        self._child.popen.wait()
        process.signal_group(self._child.pid, signal.SIGKILL)  # its workers would keep the streams open
        os.close(tell)

    def _loop(self, selector: selectors.BaseSelector, ended: int, tick: Callable[[], None], every: float) -> int | None:
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        selector.register(self._child.stdout, selectors.EVENT_READ, self._lines)
        selector.register(self._child.stderr, selectors.EVENT_READ, None)
        selector.register(ended, selectors.EVENT_READ, None)
        next_tick = time.monotonic() + every
        running = True
        while running or len(selector.get_map()):
            now = time.monotonic()
            if running and now >= self._end:
                return None
            if now >= next_tick:
                tick()
                next_tick += every
            ready = selector.select(max(min(self._end, next_tick) - now, 0) if running else 0)
            if not ready and not running:
                break
            for key, _ in ready:
                if key.fd == ended:
                    selector.unregister(ended)
                    running = False
                    # Whatever comes after what is in the pipes now is from somebody else.
                    self._left = {each.fileno(): waiting(each) for each in (self._child.stdout, self._child.stderr)}
                elif not self._read(key):
                    selector.unregister(key.fileobj)
        self._lines.end()
        return self._child.popen.returncode

    def _read(self, key: selectors.SelectorKey) -> bool:
        """Take what is there; False at the stream's end."""
        block = os.read(key.fd, min(BLOCK, self._left.get(key.fd, BLOCK)))
        if key.fd in self._left:
            self._left[key.fd] -= len(block)
        if key.data is not None:
            self._lines.feed(block)
        else:
            self._stderr += block
            del self._stderr[:-STDERR_KEPT]
        return bool(block)
