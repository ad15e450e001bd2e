"""`manage doctor`: everything that could keep the runtime from working, looked at one by one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from resource_airbyte.cli.render import as_typed
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format

if TYPE_CHECKING:
    from resource_airbyte.runtime.checks import Check

EXAMPLES = """
    resource-airbyte manage doctor
    resource-airbyte manage doctor --runtime compose     before a stack is installed, too
    resource-airbyte manage doctor --format json
"""
WORDS = {"ok": "ok", "warn": "WARN", "fail": "FAIL"}


def doctor(context: typer.Context, form: Format = "text") -> Result:
    """Look at everything that the runtime needs, and say what to type where something is wrong."""
    from resource_airbyte.runtime.doctor import examine

    session = of(context)
    found = examine(session.settings)
    failed = [each for each in found if each.level == "fail"]
    warned = [each for each in found if each.level == "warn"]
    data = {"healthy": not failed, "checks": [asdict(each) for each in found]}
    return Result(data, [*_text(found), "", _sum(len(failed), len(warned))], code=1 if failed else 0)


def _text(found: list[Check]) -> list[str | Table]:
    rows: list[tuple[str, str, str]] = []
    for each in found:
        rows.append((WORDS[each.level], each.name, each.message))
        if each.hint and each.level != "ok":
            rows.append(("", "", f"-> {as_typed(each.hint)}"))
    return [Table(("", "what", "found"), rows)]


def _sum(failed: int, warned: int) -> str:
    if not failed and not warned:
        return "All is well."
    return f"{failed or 'nothing'} failed, {warned or 'no'} {'warning' if warned == 1 else 'warnings'}."
