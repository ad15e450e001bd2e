"""`info`: what this resource is, as `config/runtime.json` has it; with `--verbose` every setting and its origin."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from resource_airbyte import __version__
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, Verbose, application, verb

app = application()


def _as_json(context: typer.Context, value: bool) -> bool:
    if value:
        of(context).form = "json"
    return value


@app.command(
    "info",
    cls=verb("""
        resource-airbyte info
        resource-airbyte info --verbose      every setting, its value and where that came from
        resource-airbyte info --json
    """),
)
def info(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.", callback=_as_json)] = False,
    form: Format = "text",
    verbose: Verbose = False,
) -> Result:
    """Show what this resource is, what it depends on, and how it starts."""
    from resource_airbyte.settings import shipped

    session = of(context)
    facts: dict[str, Any] = json.loads(shipped("config/runtime.json").read_text("utf-8"))
    data: dict[str, Any] = {"name": "resource-airbyte", "version": __version__, **facts}
    blocks: list[str | Table] = [Table(("fact", "value"), [(key, _shown(value)) for key, value in data.items()])]
    data["runtime"] = session.runtime.name
    if session.verbose:
        data["settings"] = _settings(session)
        rows = [
            (name, _shown(each["value"]), each["origin"], each["meaning"]) for name, each in data["settings"].items()
        ]
        blocks += ["", Table(("setting", "value", "origin", "meaning"), rows)]
    return Result(data, blocks)


def _settings(session: Session) -> dict[str, dict[str, Any]]:
    return {
        each.name: {"value": _plain(each.value), "origin": each.origin, "meaning": each.sentence}
        for each in session.settings
    }


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(part) for part in value) or "none"
    return str(value)
