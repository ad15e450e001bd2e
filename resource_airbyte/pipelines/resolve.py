"""From what a person types to the one thing that is meant: an id, a name, or a name in another case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from resource_airbyte.errors import Ambiguous, NotFound
from resource_airbyte.model.actors import DestinationRead, SourceRead
from resource_airbyte.model.connections import ConnectionRead
from resource_airbyte.model.definitions import DefinitionRead
from resource_airbyte.pipelines.near import near
from resource_airbyte.pipelines.own import short as short

ThingT = TypeVar("ThingT")


def actor_id(actor: SourceRead | DestinationRead) -> str:
    return actor.actor_id


def connection_id(connection: ConnectionRead) -> str:
    return connection.connection_id


def find(
    things: Iterable[ThingT], wanted: str, what: str, id_of: Callable[[ThingT], str], name_of: Callable[[ThingT], str]
) -> ThingT | None:
    """The thing with this id or name, None when there is none. Ambiguous when the name fits several."""
    known = list(things)
    for matches in (
        [thing for thing in known if id_of(thing) == wanted],
        [thing for thing in known if name_of(thing) == wanted],
        [thing for thing in known if name_of(thing).casefold() == wanted.casefold()],
    ):
        if len(matches) > 1:
            raise _ambiguous(wanted, what, [(name_of(each), id_of(each)) for each in matches])
        if matches:
            return matches[0]
    return None


def one(
    things: Iterable[ThingT], wanted: str, what: str, id_of: Callable[[ThingT], str], name_of: Callable[[ThingT], str]
) -> ThingT:
    """As `find`, but NotFound with the nearest names when there is none."""
    known = list(things)
    found = find(known, wanted, what, id_of, name_of)
    if found is None:
        raise missing(wanted, what, [name_of(thing) for thing in known])
    return found


def source(sources: Iterable[SourceRead], wanted: str) -> SourceRead:
    return one(sources, wanted, "source", actor_id, lambda each: each.name)


def destination(destinations: Iterable[DestinationRead], wanted: str) -> DestinationRead:
    return one(destinations, wanted, "destination", actor_id, lambda each: each.name)


def connection(connections: Iterable[ConnectionRead], wanted: str) -> ConnectionRead:
    return one(connections, wanted, "connection", connection_id, lambda each: each.name)


def definition(definitions: Sequence[DefinitionRead], wanted: str, side: str) -> DefinitionRead:
    """A connector by id, repository (`airbyte/source-faker`), its last part (with or without the side), or title."""
    # A definition of one's own may stand for a public connector in another version; that one's name is not its own.
    for each in sorted(definitions, key=lambda each: bool(each.custom)):
        if fits(each, wanted, side):
            return each
    known = [
        name for each in definitions for name in (short(each.docker_repository), *([each.name] * bool(each.custom)))
    ]
    raise missing(
        wanted, f"{side} connector", known, f"resource-airbyte content list --type connectors --filter {side}"
    )


def fits(definition: DefinitionRead, wanted: str, side: str) -> bool:
    """Whether `wanted` names this connector."""
    repository = definition.docker_repository
    names = {repository, short(repository), short(repository).removeprefix(f"{side}-"), definition.name.casefold()}
    return wanted == getattr(definition, "definition_id", None) or wanted in names or wanted.casefold() in names


def missing(wanted: str, what: str, names: Iterable[str], listing: str | None = None) -> NotFound:
    """The error for something that is not there, with what comes near."""
    close = near(wanted, names)
    listing = listing or f"resource-airbyte content list --type {what}s"
    hint = f"did you mean {' or '.join(repr(name) for name in close)}?" if close else listing
    return NotFound(f"there is no {what} {wanted!r}", hint=hint, details={"near": close})


def _ambiguous(wanted: str, what: str, matches: Sequence[tuple[str, str]]) -> Ambiguous:
    listed = ", ".join(f"{name} ({identity})" for name, identity in matches)
    return Ambiguous(
        f"{wanted!r} fits {len(matches)} {what}s: {listed}",
        hint=f"give the id: --id {matches[0][1]}",
        details={"matches": [identity for _, identity in matches]},
    )
