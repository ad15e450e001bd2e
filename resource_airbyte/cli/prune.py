"""`manage prune`: remove what nothing needs any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import Format
from resource_airbyte.cli.words import size, span

if TYPE_CHECKING:
    from resource_airbyte.model.storage import PruneRead, StoredItem

EXAMPLES = """
    resource-airbyte manage prune --dry-run    only say what would go
    resource-airbyte manage prune
    resource-airbyte manage prune --all        also what is needed; it is installed again when it is used
"""


def prune(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also what sources and destinations need.")] = False,
    form: Format = "text",
) -> Result:
    """Remove installed connectors that no source or destination needs, and jobs and logs that are past their time.
    What runs, or is being installed, stays.
    """
    session = of(context)
    # A server that starts removes what is past its time: not for a question.
    client = session.client if dry_run else session.running_client()
    done = client.prune(dry_run=dry_run, everything=everything)
    hint = "resource-airbyte manage prune" + (" --all" if everything else "") if dry_run and done.freed else None
    kept = tuple(f"{each.name} {each.version} stays: {each.kept}" for each in done.items if each.kept)
    return Result(done.wire(), _text(done), kept, hint)


def _text(done: PruneRead) -> list[str | Table]:
    gone = [each for each in done.items if not each.kept]
    if not gone:
        return ["There is nothing to remove."]
    small = [each for each in gone if each.kind == "specification"]
    past = [each for each in gone if each.count is not None]
    rows = [_row(each) for each in gone if each.kind != "specification" and each.count is None]
    if small:
        rows.append(("specifications", str(len(small)), "", size(sum(each.size for each in small))))
    rows += [(each.kind, str(each.count), each.name, size(each.size)) for each in past]
    verb = "Would free" if done.dry_run else "Freed"
    return [Table(("what", "version", "last used", "size"), rows), "", f"{verb} {size(done.freed)}."]


def _row(item: StoredItem) -> tuple[str, str, str, str]:
    names = {"environment": "", "manifest": " (manifest)", "program": " (program)", "remains": " (unfinished)"}
    when = f"{span(time.time() - item.used_at)} ago" if item.used_at else ""
    return f"{item.name}{names.get(item.kind, '')}", item.version, when, size(item.size)
