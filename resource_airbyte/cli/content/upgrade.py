"""`content upgrade`: newer connectors for what there is, with what they would break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resource_airbyte.cli import ask
from resource_airbyte.cli.content.kinds import Name, kind, pointed_at, things
from resource_airbyte.cli.result import ALREADY, Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import Format, application, verb
from resource_airbyte.errors import Conflict, NotFound, RegistryUnreachable, ResourceError, UsageError

if TYPE_CHECKING:
    from resource_airbyte.pipelines.upgrade import Upgrade

app = application()


@dataclass
class Done:
    """What became of one: planned, unchanged, upgraded or failed."""

    upgrade: Upgrade
    status: str
    changes: Sequence[str] = field(default_factory=list)
    error: ResourceError | None = None


@app.command(
    "upgrade",
    cls=verb(
        """
        resource-airbyte content upgrade                            show what could be upgraded, change nothing
        resource-airbyte content upgrade --name people --dry-run    and what that would break
        resource-airbyte content upgrade --name people
        resource-airbyte content upgrade --name people --to 7.1.0   to this version, or back to it
        resource-airbyte content upgrade --all --yes                all of them, breaking changes too
    """,
        two=(NotFound,),
    ),
)
def upgrade(
    context: typer.Context,
    name: Name = None,
    type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="source or destination.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every source and destination.")] = False,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="This version, and not the newest that is known.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take breaking changes without being asked.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Let the new version try the configuration before it is taken.")
    ] = True,
    form: Format = "text",
) -> Result:
    """Give sources and destinations newer versions of their connectors. Exit code 2: there is nothing to upgrade.

    A new version is taken when the configuration fits it and its check succeeds; else the old one stays.
    """
    session = of(context)
    if to is not None and (all_ or name is None):
        raise UsageError("--to is for one source or destination", hint="add --name NAME")
    if all_ and name is not None:
        raise UsageError("--name and --all are two different things", hint="give only one of them")
    _refresh(session)
    plans = _planned(session, name, kind(type, only=("source", "destination")), to)
    if dry_run or (name is None and not all_):
        done = [Done(each, "unchanged" if each.idle else "planned") for each in plans]
        return _result(done, idle_too=name is not None)
    done = [_one(session, each, check=check, yes=yes, alone=name is not None) for each in plans]
    return _result(done, idle_too=name is not None)


def _refresh(session: Session) -> None:
    """Ask what is new; without an answer, what is known has to do."""
    try:
        session.client.registry.refresh()
    except RegistryUnreachable as error:
        session.say(error.message)
    except NotFound:
        session.say("this Airbyte has no registry to be asked; what it knows itself counts")


def _planned(session: Session, name: str | None, side: str | None, to: str | None) -> list[Upgrade]:
    from resource_airbyte.pipelines.upgrade import planned

    client = session.client
    if name is not None:
        thing = pointed_at(session, name, None, side, among=("source", "destination"))
        return [planned(client, thing.kind, thing.read, to)]
    sides = (side,) if side else ("source", "destination")
    return [planned(client, each, thing.read) for each in sides for thing in things(client, each)]


def _one(session: Session, plan: Upgrade, *, check: bool, yes: bool, alone: bool) -> Done:
    """Upgrade one of them. A failure is raised where it is the only one, and kept where others come after it."""
    if plan.idle is not None:
        return Done(plan, "unchanged")
    from resource_airbyte.pipelines.upgrade import perform

    try:
        _allowed(session, plan, yes)
        changes = perform(session.client, plan, check=check, report=session.say)
    except ResourceError as error:
        if alone:
            raise
        return Done(plan, "failed", error=error)
    return Done(plan, "upgraded", changes)


def _allowed(session: Session, plan: Upgrade, yes: bool) -> None:
    """Breaking changes are taken by a person's word alone."""
    if not plan.breaking or yes:
        return
    count = f"{len(plan.breaking)} breaking change{'s' if len(plan.breaking) > 1 else ''}"
    if not session.interactive:
        hint = "--dry-run shows what they are; add --yes to take them"
        raise Conflict(
            f"{plan.what}: {plan.before} → {plan.after} has {count}, and there is no terminal to ask on", hint=hint
        )
    for line in _lines(Done(plan, "planned")):
        session.say(line)
    if not ask.yes(f"Take {count} of {plan.what}? [y/N] ", default=False):
        raise Conflict(f"{plan.what} stays at {plan.before}: you said no")


def _result(done: Sequence[Done], *, idle_too: bool) -> Result:
    data = {"upgrades": [_data(each) for each in done]}
    shown = [each for each in done if idle_too or each.status != "unchanged"]
    text = "\n".join(line for each in shown for line in _lines(each))
    failed, waiting = [[each for each in done if each.status == word] for word in ("failed", "planned")]
    if all(each.status == "unchanged" for each in done):
        return Result(data, text, messages=("nothing to upgrade",), code=ALREADY)
    upgraded = [each for each in done if each.status == "upgraded"]
    messages = [f"to go back: {each.upgrade.back}" for each in upgraded]
    hint = _hint(waiting) if waiting else None
    return Result(data, text, messages, hint, code=1 if failed else 0)


def _hint(waiting: Sequence[Done]) -> str:
    one = waiting[0].upgrade
    words = f"--type {one.side} --name {quote(one.actor.name)}" if len(waiting) == 1 else "--all"
    return f"do it: resource-airbyte content upgrade {words}"


def _lines(done: Done) -> Iterator[str]:
    plan = done.upgrade
    if plan.idle is not None:
        yield f"{plan.what}: {plan.idle}"
        return
    words = {"planned": "could go to", "upgraded": "→", "failed": "did not go to"}
    yield f"{plan.what}: {plan.connector} {plan.before} {words[done.status]} {plan.after}"
    if done.status == "failed" and done.error is not None:
        yield f"  {done.error.message}"
        if done.error.hint:
            yield f"  hint: {done.error.hint}"
    for change in plan.breaking:
        deadline = f" (upgrade by {change.upgrade_deadline})" if change.upgrade_deadline else ""
        yield f"  breaking change {change.version}{deadline}: {' '.join(change.message.split())}"
        yield f"    {change.migration_documentation_url}"
    yield from (f"  {change}" for change in done.changes)


def _data(done: Done) -> dict[str, Any]:
    plan = done.upgrade
    found: dict[str, Any] = {
        "type": plan.side,
        "name": plan.actor.name,
        "id": plan.actor.actor_id,
        "connector": plan.connector,
        "before": plan.before,
        "after": plan.after,
        "status": done.status,
        "breaking": [each.wire() for each in plan.breaking],
        "changes": [*done.changes],
    }
    return {**found, "error": done.error.message} if done.error else found
