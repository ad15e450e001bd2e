"""Documents for a connector's `--config`, `--catalog` and `--state`, without a trace (rule 7).

On Linux they are memory files, named by their descriptor: nothing is on any disk, and they end with the process.
Elsewhere they are 0600 files in a private directory, removed right after. The CDK opens --config twice, so a pipe
will not do.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ... import process

PREFIX = "resource-airbyte-handover-"  # not that of the sockets, which lie there too
DAY = 24 * 3600.0


@dataclass(frozen=True)
class Handover:
    """`arguments` to append to the connector's command, and the descriptors that its process must inherit."""

    arguments: tuple[str, ...]
    descriptors: tuple[int, ...]


@contextmanager
def handed_over(documents: Mapping[str, bytes]) -> Iterator[Handover]:
    """Keep these documents (flag without dashes → content) readable for a child started inside the block.

    A memory file stays open in the child after the block; a temporary file is gone, so the block must outlive its
    reading.
    """
    with ExitStack() as stack:
        arguments: list[str] = []
        descriptors: list[int] = []
        for flag, content in documents.items():
            if hasattr(os, "memfd_create"):
                descriptor = stack.enter_context(_memory(flag, content))
                descriptors.append(descriptor)
                path = f"/proc/self/fd/{descriptor}"
            else:
                path = str(stack.enter_context(_file(flag, content)))
            arguments += [f"--{flag}", path]
        yield Handover(tuple(arguments), tuple(descriptors))


@contextmanager
def _memory(flag: str, content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create(f"{PREFIX}{flag}")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _file(flag: str, content: bytes) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    path = directory / f"{flag}.json"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield path
    finally:
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # swept, after more than a day
            directory.rmdir()


def sweep() -> int:
    """Remove what killed processes of this user left behind; returns how many directories that were."""
    import shutil

    removed = 0
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        with suppress(FileNotFoundError):  # somebody else removed it at the same time
            status = directory.lstat()
            ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
            if ours and _left_behind(directory, status.st_mtime):
                shutil.rmtree(directory)
                removed += 1
    return removed


def _left_behind(directory: Path, made: float) -> bool:
    """Whether its maker is gone. A number may belong to another process by now, so that a day is the limit for all."""
    pid = directory.name.removeprefix(PREFIX).partition("-")[0]
    return pid.isdigit() and (not process.alive(int(pid)) or time.time() - made > DAY)
