"""Tables in plain text, as wide as their contents, or as the terminal where there is one."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from resource_airbyte.cli.result import Table

GAP = "  "
NARROWEST = 8


def lines(table: Table, *, width: int | None = None, bold: bool = False) -> Iterable[str]:
    """The lines of a table. With `width` its spare columns are left out, and the widest ones cut, until it fits."""
    rows = [[cell(value) for value in row] for row in table.rows]
    widths = [max(_width(text) for text in column) for column in zip(table.columns, *rows, strict=True)]
    if width is not None and table.spare and sum(widths) + len(GAP) * (len(widths) - 1) > width:
        yield from lines(_without_spare(table), width=width, bold=bold)
        return
    if width is not None:
        _squeeze(widths, width - len(GAP) * (len(widths) - 1))
    right = [_numeric(column) for column in zip(*table.rows, strict=True)] or [False] * len(widths)
    if table.title:
        yield table.title
    heading = _line([name.upper() for name in table.columns], widths, right)
    yield f"\x1b[1m{heading}\x1b[0m" if bold else heading
    for row in rows:
        yield _line(row, widths, right)


def _without_spare(table: Table) -> Table:
    kept = [index for index, name in enumerate(table.columns) if name not in table.spare]
    rows = [[row[index] for index in kept] for row in table.rows]
    return Table([table.columns[index] for index in kept], rows, table.title)


def cell(value: Any) -> str:
    """A value as the text of a cell: one line, without control characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return harmless(str(value).replace("\n", " "))


def harmless(text: str) -> str:
    """The text without what would move the cursor or colour the screen: rows and messages come from anywhere."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def _numeric(column: Sequence[Any]) -> bool:
    numbers = [value for value in column if isinstance(value, int | float) and not isinstance(value, bool)]
    return bool(numbers) and all(value is None or value in numbers or value == "unknown" for value in column)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def _squeeze(widths: list[int], room: int) -> None:
    """Take from the widest column until all fit, or nothing can be taken any more."""
    while sum(widths) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = []
    for text, width, numeric in zip(cells, widths, right, strict=True):
        shown = _cut(text, width)
        space = " " * (width - _width(shown))
        parts.append(space + shown if numeric else shown + space)
    return GAP.join(parts).rstrip()


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept = text[: width - 1]
    while _width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"
