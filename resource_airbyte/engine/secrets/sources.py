"""Where referenced values are kept: the environment, files and the keyring of the machine that the engine runs on."""

from __future__ import annotations

import getpass
import os
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from resource_airbyte import process
from resource_airbyte.model.references import Reference

LARGEST = 1 << 20  # bytes of a file: a key, a certificate, a service account; whatever is larger is another file
KEYRING_SECONDS = 30.0  # a locked keyring may ask a person who is not there
RESTART = "resource-airbyte manage restart"


class Unavailable(Exception):
    """A reference that cannot be filled in: why, and what to do about it."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


@dataclass(frozen=True)
class Found:
    """A value, and what its owner should be warned about, if anything."""

    value: str
    warning: str | None = None


def look_up(reference: Reference, environ: Mapping[str, str]) -> Found:
    """What a sound reference refers to; raises Unavailable."""
    if reference.scheme == "env":
        return _variable(reference.name, environ)
    return _file(reference.name) if reference.scheme == "file" else _entry(*reference.entry)


def _variable(name: str, environ: Mapping[str, str]) -> Found:
    if name in environ:
        return Found(environ[name])
    raise Unavailable(
        f"the daemon was started ({_started()}) without the environment variable {name}",
        f"export {name}=…, then: {RESTART}; or write ${{{name}}} in the content file, "
        f"which the command fills in itself, or ${{file:/absolute/path}}",
    )


@cache
def _started() -> str:
    return datetime.fromtimestamp(process.started_at()).strftime("%Y-%m-%d %H:%M")


def _file(path: str) -> Found:
    try:
        mode, content = _read(path)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", f"the daemon reads it as the user {_user()}; see: ls -l {path}"
        ) from None
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not an ordinary file"
        raise Unavailable(f"{path} is {what}", "name the file that holds the value and nothing else")
    if len(content) > LARGEST:
        raise Unavailable(f"{path} is larger than {LARGEST >> 20} MB", "name a file that holds the value and no more")
    return Found(_text(path, content), _exposed(path, mode))


def _read(path: str) -> tuple[int, bytes]:
    """Mode and content, at most a little too much of it; nothing of what is not an ordinary file."""
    # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode, content = os.fstat(descriptor).st_mode, b""
        while stat.S_ISREG(mode) and len(content) <= LARGEST and (block := os.read(descriptor, LARGEST)):
            content += block
        return mode, content
    finally:
        os.close(descriptor)


def _text(path: str, content: bytes) -> str:
    """A file made with an editor ends with a line end that is not part of the value; one is taken off."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Unavailable(f"{path} is not UTF-8 text", "save it as UTF-8; what is binary cannot be a value") from None
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def _exposed(path: str, mode: int) -> str | None:
    if not mode & stat.S_IROTH:
        return None
    return f"{path} can be read by everybody on this machine (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # an id without a name, as in many containers


def _entry(service: str, name: str) -> Found:
    try:
        import keyring
    except ModuleNotFoundError:
        raise Unavailable(
            "the Python package keyring is not installed",
            f"{sys.executable} -m uv pip install --python {sys.executable} keyring, then: {RESTART}",
        ) from None
    value = _within(KEYRING_SECONDS, lambda: keyring.get_password(service, name))
    if value is None:
        raise Unavailable(
            f"the keyring has no entry {name!r} of the service {service!r}", f"keyring set {service} {name}"
        )
    return Found(str(value))


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    """The keyring's answer. Its back ends differ in what they raise, and all of it means that there is no answer."""
    answer: list[Any] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            answer.append(ask())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True, name="keyring")
    thread.start()
    thread.join(seconds)
    if answer:
        return answer[0]
    why = f"{type(failed[0]).__name__}: {failed[0]}" if failed else f"it did not answer within {seconds:g} s"
    raise Unavailable(
        f"the keyring of this machine cannot be used: {why}",
        f"unlock or set up a keyring that the daemon can reach, then: {RESTART}; or use ${{file:/absolute/path}}",
    )
