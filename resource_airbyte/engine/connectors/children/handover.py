"""Documents for a connector's `--config`, `--catalog` and `--state`, without a trace (rule 7).

On Linux they are memory files, named by their descriptor: nothing is on any disk, and they end with the process.
Elsewhere they are 0600 files in a private directory, removed right after. The CDK opens --config twice, so a pipe
will not do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .scratch import scratch


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
    descriptor = os.memfd_create(f"resource-airbyte-{flag}")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _file(flag: str, content: bytes) -> Iterator[Path]:
    with scratch() as directory:
        path = directory / f"{flag}.json"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield path
