"""The kinds of content, the things of each kind, and how a person points at one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resource_airbyte.cli.session import Session, of
from resource_airbyte.errors import Ambiguous, NotFound, ResourceError, UsageError

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte

KINDS = ("source", "destination", "connection")


@dataclass(frozen=True)
class Thing:
    """One source, destination or connection; `read` is what the API says of it."""

    kind: str
    id: str
    name: str
    read: Any


def kind(text: str | None, *, also: tuple[str, ...] = (), only: tuple[str, ...] = KINDS) -> str | None:
    """The kind that a person names, in singular or plural. UsageError for one that there is not."""
    if text is None:
        return None
    known = (*only, *also)
    word = text.strip().lower()
    for each in known:
        if word in (each, f"{each}s"):
            return each
    from resource_airbyte.pipelines.near import did_you_mean

    hint = did_you_mean(word, known) or f"the types are: {', '.join(known)}"
    raise UsageError(f"there is no type {text!r}", hint=hint)


def things(client: Airbyte, wanted: str) -> list[Thing]:
    """All things of a kind; of connectors, the public ones too."""
    if wanted == "connector":
        return [
            Thing(wanted, each.definition_id, each.name, each)
            for definitions in (client.source_definitions, client.destination_definitions)
            for each in definitions.list()
        ]
    workspace = client.workspace_id
    lists: dict[str, Callable[[], list[Any]]] = {
        "source": lambda: client.sources.list(workspace),
        "destination": lambda: client.destinations.list(workspace),
        "connection": lambda: client.connections.list(workspace),
    }
    identity = "connection_id" if wanted == "connection" else "actor_id"
    return [Thing(wanted, getattr(each, identity), each.name, each) for each in lists[wanted]()]


def pointed_at(
    session: Session,
    name: str | None,
    identity: str | None,
    of_kind: str | None,
    *,
    among: tuple[str, ...] = KINDS,
) -> Thing:
    """The one thing that `--name` or `--id` means, of any kind `among` these unless one is given."""
    from resource_airbyte.pipelines import resolve

    wanted = which(name, identity)
    if of_kind == "connector":
        return _connector(session, wanted)
    kinds = (of_kind,) if of_kind else among
    known = {each: things(session.client, each) for each in kinds}
    found = [match for each in kinds if (match := _find(known[each], wanted, each))]
    if len(found) > 1:
        listed = ", ".join(f"{each.kind} {each.id}" for each in found)
        raise Ambiguous(f"{wanted!r} fits {len(found)} things: {listed}", hint=f"say which: --type {found[0].kind}")
    if found:
        return found[0]
    names = [each.name for group in known.values() for each in group]
    listing = f"resource-airbyte content list{f' --type {of_kind}s' if of_kind else ''}"
    raise resolve.missing(wanted, of_kind or _or(among), names, listing)


def _or(kinds: tuple[str, ...]) -> str:
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}"


def _connector(session: Session, wanted: str) -> Thing:
    """A connector by any of its names; a definition of one's own by the name that it was given."""
    from resource_airbyte.pipelines import resolve

    client = session.client
    sides = {"source": client.source_definitions, "destination": client.destination_definitions}
    known = {side: definitions.list() for side, definitions in sides.items()}
    fits = [(side, each) for side in known for each in known[side] if resolve.fits(each, wanted, side)]
    # A definition that stands for a public connector in another version goes by its own name alone.
    meant = [
        (side, each) for side, each in fits if not each.custom or wanted.casefold() == each.name.casefold()
    ] or fits
    if len(meant) > 1:
        listed = ", ".join(f"{each.docker_repository} ({each.definition_id})" for _, each in meant)
        own = next((each for _, each in meant if each.custom), meant[0][1])  # the only one that can be removed
        raise Ambiguous(
            f"{wanted!r} fits {len(meant)} connectors: {listed}",
            hint=f"say --id {own.definition_id} in place of --name",
        )
    if meant:
        return Thing("connector", meant[0][1].definition_id, meant[0][1].name, meant[0][1])
    everything = [*known["source"], *known["destination"]]
    names = [name for each in everything for name in (resolve.short(each.docker_repository), each.name)]
    raise resolve.missing(wanted, "connector", names, "resource-airbyte content list --type connectors --filter custom")


def _find(known: list[Thing], wanted: str, of_kind: str) -> Thing | None:
    from resource_airbyte.pipelines import resolve

    return resolve.find(known, wanted, of_kind, lambda each: each.id, lambda each: each.name)


def which(*given: str | None) -> str:
    """The one of several options that was given."""
    said = [value for value in given if value]
    if not said:
        raise UsageError(
            "neither a name nor an id says which one is meant",
            hint="add --name NAME or --id ID; names: resource-airbyte content list",
        )
    if len(set(said)) > 1:
        raise UsageError(f"{' and '.join(said)} are two different things", hint="give only one of them")
    return said[0]


def complete(kinds: Iterable[str]) -> Callable[[typer.Context, list[str], str], list[str]]:
    """Names for the shell to complete. Whatever goes wrong is no business of a half-typed line."""

    def names(context: typer.Context, words: list[str], incomplete: str) -> list[str]:
        session = context.obj if isinstance(context.obj, Session) else Session()
        session.form = "json"  # say nothing
        try:
            return [each.name for wanted in kinds for each in things(session.client, wanted)]
        except ResourceError:
            return []

    return names


Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Its name (or id).", autocompletion=complete(KINDS))
]
Id = Annotated[str | None, typer.Option("--id", metavar="ID", help="Its id (or name).")]
Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="source, destination, connection or connector; plural too.")
]

__all__ = [
    "KINDS",
    "Id",
    "Name",
    "NotFound",
    "Thing",
    "Type",
    "complete",
    "kind",
    "of",
    "pointed_at",
    "things",
    "which",
]
