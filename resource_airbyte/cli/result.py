"""What a verb returns. It prints nothing and ends nothing; `render` does both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

ALREADY = 2
INTERRUPTED = 130


@dataclass(frozen=True)
class Table:
    """Rows under headings, for a person. None is shown as an empty cell, numbers to the right.

    `spare` are columns that are left out of a terminal which is too narrow for all.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str | None = None
    spare: Sequence[str] = ()


# A line or several, a table, or several of either; lines may also come one at a time, for as long as they do.
Text = str | Table | Iterable["str | Table"]


@dataclass(frozen=True)
class Result:
    """`data` is what JSON and YAML show, `text` what a person reads instead (on stdout both).

    `messages` and `hint` (the next command to type) go to stderr, and only to a person. `code` is the exit code.
    """

    data: Any = None
    text: Text = ()
    messages: Sequence[str] = ()
    hint: str | None = None
    code: int = 0
