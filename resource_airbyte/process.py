"""The one place that starts child processes.

Every child leads a process group of its own (a new session), so that its whole family can be ended together: connectors
fork workers that survive a SIGTERM to their parent. Children inherit nothing of our environment but a fixed list of
names.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# What a child may see: where programs and certificates are, which language and time zone, which proxy. No secrets.
PLACES = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH")
DIRECTORIES = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
LOCALE = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy")
ALLOWED = PLACES + DIRECTORIES + LOCALE + CERTIFICATES + PROXIES
# What is meant for somebody else's interpreter or loader, and would change how ours runs.
FOREIGN = ("PYTHON", "__PYVENV", "LD_PRELOAD", "LD_AUDIT", "DYLD_")
KEYRING = "PYTHON_KEYRING_"  # by these a user says which keyring is asked for secrets
# A child started with this in its environment can be found and ended again, even after its parent was killed.
MARK = "RESOURCE_AIRBYTE_MARK"
ZOMBIE_LOOK = 1.0  # seconds between two looks whether one that is waited for is there in name only
GRACE = 5.0
CUT = "…".encode()  # by this, half a secret at the end of a text is found
TAIL_BLOCK, TAIL_KEPT, TAIL_MOST = 64 << 10, 16 << 10, 16 << 20


class DeadlineExceeded(Exception):
    """A child was still running at its deadline; it and its group have been killed. Holds what it had written by
    then.
    """

    def __init__(self, seconds: float, stdout: bytes, stderr: bytes) -> None:
        super().__init__(f"still running after {seconds:g} s")
        self.seconds, self.stdout, self.stderr = seconds, stdout, stderr


@dataclass(frozen=True)
class Completed:
    """How a child ended: its exit code (negative: the signal that killed it) and everything it wrote."""

    code: int
    stdout: bytes
    stderr: bytes


def environment(extra: Mapping[str, str] | None = None, *, also: Iterable[str] = ()) -> dict[str, str]:
    """The environment of a child: the allowed names of ours, those named in `also`, and `extra`."""
    kept = {name: os.environ[name] for name in (*ALLOWED, *also) if name in os.environ}
    return {**kept, **(extra or {})}


def own_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child that runs our own code: also our settings, and the way to a package that is not
    installed.
    """
    # UV_: where packages come from, for the daemon, which installs connectors. They themselves do not get it.
    ours = {name: value for name, value in os.environ.items() if name.startswith(("AIRBYTE_", "UV_"))}
    return part_environment({**ours, **(extra or {})})


def part_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child that runs our own code and is told all that it needs: without our settings, which may
    hold passwords.
    """
    here = str(Path(__file__).resolve().parent.parent)
    kept = {"PYTHONPATH": here, "PYTHONUTF8": "1", **(extra or {})}
    return environment(kept, also=["PYTHONPYCACHEPREFIX", "NO_COLOR", "COVERAGE_PROCESS_START"])


def daemon_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the daemon: all of ours, because configurations may refer to any variable of it.

    But for what would change how its interpreter runs, and for a mark: it is nobody's child.
    """
    foreign = {name for name in os.environ if name.startswith(FOREIGN) and not name.startswith(KEYRING)}
    kept = {name: value for name, value in os.environ.items() if name not in foreign and name != MARK}
    return {**kept, **own_environment(extra)}


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our own modules with the interpreter that runs this one."""
    return [
        sys.executable,
        "-P",
        "-m",
        module,
        *arguments,
    ]  # -P: a file in the working directory must not shadow a library


class Child:
    """A started process and its group."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        self.pid = popen.pid
        self.stdin: IO[bytes] | None = popen.stdin
        self.stdout: IO[bytes] | None = popen.stdout
        self.stderr: IO[bytes] | None = popen.stderr

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs."""
        return self.popen.poll()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; DeadlineExceeded (without a kill) when it has not by then."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(timeout or 0.0, b"", b"") from None

    def release(self) -> None:
        """Let it outlive us: nobody here will wait for it."""
        self.popen.returncode = 0  # without a code, Popen would complain when it is collected

    def terminate(self) -> None:
        """Ask the whole group to end."""
        signal_group(self.pid, signal.SIGTERM)

    def end(self, grace: float = GRACE) -> int:
        """End the whole group: ask, wait for the leader at most `grace` seconds, then kill whoever is left."""
        if self.code is None and grace > 0:
            self.terminate()
            with suppress(subprocess.TimeoutExpired):  # it had its chance; the kill below does not ask
                self.popen.wait(grace)
        signal_group(self.pid, signal.SIGKILL)
        return self.popen.wait()


def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    stdin: int | IO[Any] | None = subprocess.DEVNULL,
    stdout: int | IO[Any] | None = subprocess.DEVNULL,
    stderr: int | IO[Any] | None = subprocess.DEVNULL,
    cwd: str | os.PathLike[str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Start a child in a session and process group of its own. Its streams are closed unless given."""
    popen = subprocess.Popen(
        argv,
        env=dict(env),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    return Child(popen)


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    env: Mapping[str, str],
    input: bytes | None = None,
    cwd: str | os.PathLike[str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Completed:
    """Run a child to its end and return what it wrote.

    At the deadline its group is killed and DeadlineExceeded raised.
    """
    pipe = subprocess.PIPE
    stdin = pipe if input is not None else subprocess.DEVNULL
    child = start(argv, env=env, stdin=stdin, stdout=pipe, stderr=pipe, cwd=cwd, pass_fds=pass_fds)
    try:
        stdout, stderr = child.popen.communicate(input, timeout)
    except subprocess.TimeoutExpired:
        signal_group(child.pid, signal.SIGKILL)
        stdout, stderr = child.popen.communicate()
        raise DeadlineExceeded(timeout, stdout, stderr) from None
    except BaseException:  # Ctrl-C while we wait: leave no orphan
        child.end(grace=0)
        raise
    signal_group(child.pid, signal.SIGKILL)  # workers that outlived their parent
    return Completed(child.popen.returncode, stdout, stderr)


def signal_group(pgid: int, number: int) -> None:
    """Send a signal to a whole process group; one that is gone already is no error."""
    with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(pgid, number)


class Tail:
    """Reads a child's stream to its end in a thread, and keeps the last lines.

    `line` gets each line until they come to `most` bytes, and then a word that it gets no more: nobody reads a flood,
    but it would fill the disk. A child is never made to wait for long.
    """

    def __init__(
        self,
        stream: IO[bytes],
        *,
        keep: int = 40,
        most: int = TAIL_MOST,
        line: Callable[[str], None] | None = None,
    ) -> None:
        self._stream, self._keep, self._line, self._left = stream, keep, line, most
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True, name="tail")
        self._thread.start()

    def _read(self) -> None:
        rest = b""
        with self._stream:
            while block := os.read(self._stream.fileno(), TAIL_BLOCK):
                self._kept = (self._kept + block)[-TAIL_KEPT:]
                if self._line is not None:
                    *lines, rest = (rest + block).split(b"\n")
                    if len(rest) > TAIL_BLOCK:  # no line end for so long: a line all the same
                        lines, rest = [*lines, rest + CUT], CUT
                    self._hand_on(lines)
            if rest and self._line is not None:
                self._hand_on([rest])

    def _hand_on(self, lines: list[bytes]) -> None:
        for raw in lines:
            if self._line is None:
                return
            self._left -= len(raw) + 1
            if self._left < 0:
                self._line("(more than that of its error output is not kept)")
                self._line = None
            else:
                self._line(raw.decode("utf-8", "replace").rstrip())

    def text(self, wait: float = 1.0) -> str:
        """The last lines; waits at most `wait` seconds for the stream's end."""
        self._thread.join(wait)
        kept = self._kept
        if len(kept) == TAIL_KEPT:  # begin with a whole line, if there is one
            kept = kept.partition(b"\n")[2] or CUT + kept
        lines = kept.decode("utf-8", "replace").rstrip().split("\n")
        return "\n".join(line.rstrip() for line in lines[-self._keep :])


def sweep(mark: str) -> list[int]:
    """Kill every process whose mark begins so, and return their ids. For what a killed parent left behind."""
    found = list(marked(mark)) if mark else []
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # it ended by itself, or belongs to somebody else
    return found


def mine() -> str:
    """The mark that this process itself was started with; empty when it has none."""
    return os.environ.get(MARK, "")


def marked(mark: str) -> Iterator[int]:
    """The ids of all processes but this one whose environment bears a mark that begins so."""
    return (pid for pid, _ in marks(mark))


def marks(beginning: str) -> Iterator[tuple[int, str]]:
    """The ids and the marks of all processes but this one whose mark begins so."""
    import psutil

    for process in psutil.process_iter(["pid"]):
        try:
            mark = "" if process.pid == os.getpid() else _environment_of(process).get(MARK, "")
            if mark and mark.startswith(beginning):
                yield process.pid, mark
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue  # gone, or somebody else's


def _environment_of(process: Any) -> dict[str, str]:
    """Its environment. In the moment in which a new program takes a process over it seems to have none."""
    for _ in range(20):
        found: dict[str, str] = process.environ()
        if found or time.time() - process.create_time() > 2.0:
            return found
        time.sleep(0.005)
    return {}


def alive(pid: int, started: float | None = None) -> bool:
    """Whether this process runs; with `started` (seconds since the epoch) also whether it is the same one, not a
    reused id.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return started is None or abs(process.create_time() - started) < 1.0
    except psutil.NoSuchProcess:
        return False


def wait_gone(pid: int, timeout: float) -> bool:
    """Wait until a process that need not be our child has ended; False when it still runs after `timeout` seconds.

    One that has ended and whose parent has not asked for its end yet (a zombie) has ended as well.
    """
    import psutil

    until = time.monotonic() + timeout
    try:
        found = psutil.Process(pid)
        while True:
            left = max(until - time.monotonic(), 0.0)
            try:
                found.wait(min(left, ZOMBIE_LOOK))
                return True
            except psutil.TimeoutExpired:
                if found.status() == psutil.STATUS_ZOMBIE:
                    return True
                if left <= ZOMBIE_LOOK:
                    return False
    except psutil.NoSuchProcess:
        return True


def started_at(pid: int | None = None) -> float:
    """When a process (this one, by default) was started, in seconds since the epoch."""
    import psutil

    return float(psutil.Process(pid).create_time())


def deadline(seconds: float) -> float:
    """The monotonic moment `seconds` from now."""
    return time.monotonic() + seconds


def memory(pid: int) -> int | None:
    """The resident memory of a process in bytes, None when it is gone."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def listener(port: int) -> str | None:
    """Who listens on this TCP port, for a message: "process 4711, nginx"; None when the system does not tell."""
    import psutil

    try:
        pids = [
            found.pid
            for found in psutil.net_connections(kind="tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr[1:2] == (port,)
        ]
        pid = next((pid for pid in pids if pid), None)
        return None if pid is None else f"process {pid}, {psutil.Process(pid).name()}"
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
