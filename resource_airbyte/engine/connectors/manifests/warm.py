"""Warm parents: processes that have imported airbyte-cdk, and fork a connector in a tenth of the time of a start.

One for each Python and environment of variables, started on the first use; that use waits for it no longer than for a
start of its own. It ends when it has been idle for a while, and when this process ends, however that ends. Whatever
goes wrong with it before it has forked, the connector is started as any other.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, cast

from .... import process
from ..children.scratch import VARIABLES
from .cdk import FLAGS

# How many words of a command make the shim run, before the connector's own: python, its flags, the shim.
WORDS = 2 + len(FLAGS)
START_TIMEOUT = 60.0
GRACE = 1.0
# What differs from child to child, and is no reason for another parent.
EACH = (process.MARK, *VARIABLES)
# macOS does not let a process fork safely once its system libraries were used.
POSSIBLE = sys.platform == "linux"


class Warm:
    """The warm parents of this process. `start` stands in for `process.start` where the command runs the shim."""

    def __init__(self, idle: float, *, mark: str = "") -> None:
        """`idle`: seconds without work after which one ends; 0: there are none. They and their children bear `mark`."""
        self._idle, self._mark = idle, mark
        self._lock = threading.Lock()
        self._parents: dict[tuple[str, ...], _Parent] = {}
        self._closed = False

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        pass_fds: Sequence[int] = (),
    ) -> process.Child:
        """Start a connector whose output goes to pipes, forked if that can be."""
        if POSSIBLE and self._idle > 0:
            # It may be gone, going, or broken: that is for a start of the connector's own to tell.
            with contextlib.suppress(OSError):
                own = {name: env[name] for name in VARIABLES if name in env}
                return self._parent(argv[:WORDS], env).fork(argv[WORDS:], pass_fds, own)
        return process.start(argv, env=env, stdout=stdout, stderr=stderr, pass_fds=pass_fds)

    def pids(self) -> list[int]:
        """The warm parents that are running."""
        with self._lock:
            return [parent.child.pid for parent in self._parents.values()]

    def close(self) -> None:
        """End them all, and their children."""
        with self._lock:
            self._closed = True
            parents = list(self._parents.values())
        for parent in parents:
            parent.end()

    def _parent(self, command: Sequence[str], env: Mapping[str, str]) -> _Parent:
        kept = {name: value for name, value in env.items() if name not in EACH}
        key = (*command, *(f"{name}={value}" for name, value in sorted(kept.items())))
        with self._lock:
            if self._closed:
                raise ConnectionError("closed")
            parent = self._parents.get(key)
            if parent is None or parent.child.code is not None:
                parent = _Parent.started(command, {**kept, process.MARK: self._mark}, self._idle)
                self._parents[key] = parent
                threading.Thread(target=self._reap, args=(key, parent), daemon=True, name="warm parent").start()
        return parent

    def _reap(self, key: tuple[str, ...], parent: _Parent) -> None:
        parent.child.popen.wait()
        with self._lock:
            if self._parents.get(key) is parent:
                del self._parents[key]
        parent.close()


@dataclass
class _Parent:
    child: process.Child
    channel: socket.socket
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def started(cls, command: Sequence[str], env: Mapping[str, str], idle: float) -> _Parent:
        ours, theirs = socket.socketpair()
        with theirs:
            words = [*command, "--serve", str(theirs.fileno()), f"{idle:g}"]
            try:
                child = process.start(words, env=env, pass_fds=[theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return cls(child, ours)

    def fork(self, arguments: Sequence[str], descriptors: Sequence[int], own: Mapping[str, str]) -> process.Child:
        """A child of it with these arguments, and these variables of its `own`. Raises OSError if there is none."""
        pipes = [os.pipe() for _ in range(3)]
        report, out, err = (read for read, _ in pipes)
        at = [1, 2, *descriptors]
        request = json.dumps({"arguments": list(arguments), "at": at, "environment": own}).encode()
        frame = len(request).to_bytes(4, "big") + request
        try:
            with self.lock:
                sent = socket.send_fds(self.channel, [frame], [*(write for _, write in pipes), *descriptors])
                self.channel.sendall(frame[sent:])
        except BaseException:
            _close(report, out, err)
            raise
        finally:
            _close(*(write for _, write in pipes))
        try:
            pid = _first_line(report)
        except BaseException:
            _close(report, out, err)
            raise
        forked = Forked(pid, os.fdopen(out, "rb"), os.fdopen(err, "rb"), os.fdopen(report, "rb"))
        return process.Child(cast("subprocess.Popen[bytes]", forked))

    def end(self) -> None:
        self.close()  # that is what it waits for
        with contextlib.suppress(process.DeadlineExceeded):
            self.child.wait(GRACE)
        self.child.end(grace=0)

    def close(self) -> None:
        with self.lock:
            self.channel.close()


class Forked:
    """A process that is not our child, with as much of `subprocess.Popen` as a `process.Child` needs.

    Its parent tells us its exit code. Where the parent was killed meanwhile the code is lost and counts as 0: the
    connector goes on by itself, and whether it answered is seen without.
    """

    def __init__(self, pid: int, stdout: IO[bytes], stderr: IO[bytes], report: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout, self.stderr = pid, None, stdout, stderr
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._watch, args=(report,), daemon=True, name="forked connector").start()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired([], timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def _watch(self, report: IO[bytes]) -> None:
        with report:
            line = report.readline()
        while not line and not process.wait_gone(self.pid, 3600.0):
            continue  # its parent is gone, it is not
        self.returncode = int(line or 0)
        self._ended.set()


def _first_line(descriptor: int) -> int:
    """The process id that the warm parent tells: at once, or as soon as it has imported what it needs."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], START_TIMEOUT)
        byte = os.read(descriptor, 1) if ready else b""  # no more than the line: the exit code follows
        if not byte:
            raise ConnectionError("the warm parent ended or hangs")
        line += byte
    return int(line)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
