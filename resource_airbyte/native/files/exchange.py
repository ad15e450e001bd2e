"""Two directories that take each other's place at once: the one thing about renames that Python does not offer."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

AT_CWD = -100  # Linux: paths begin where the process is
SWAP = 2  # RENAME_EXCHANGE of Linux and RENAME_SWAP of macOS
UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM}


def exchange(one: Path, other: Path) -> bool:
    """Let them change places; False, and nothing is done, where system or file system cannot. OSError if it fails."""
    call = _call()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


@cache
def _call() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        swap = getattr(library, "renamex_np", None)
        return swap and (lambda one, other: swap(one, other, SWAP))
    rename = getattr(library, "renameat2", None)
    return rename and (lambda one, other: rename(AT_CWD, one, AT_CWD, other, SWAP))
