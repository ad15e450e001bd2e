"""Questions before something that cannot be undone."""

from __future__ import annotations

import sys

from resource_airbyte.cli.session import Session
from resource_airbyte.errors import ResourceError, UsageError


def confirm(session: Session, question: str, *, force: bool) -> None:
    """Ask, unless forced. Without a terminal nobody can answer, and nothing is done."""
    if force:
        return
    if not session.interactive:
        raise UsageError(f"{question} There is no terminal to ask on.", hint="add --force to do it without being asked")
    if not yes(f"{question} [y/N] ", default=False):
        raise ResourceError("nothing was changed: you said no")


def yes(prompt: str, *, default: bool) -> bool:
    """A yes or a no, asked on stderr so that stdout stays data."""
    print(prompt, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip().lower()
    return default if not answer else answer in ("y", "yes")
