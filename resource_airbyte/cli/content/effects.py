"""What a refresh or a clear will do, said before it is done: which rows go, what is read again, what is forgotten."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resource_airbyte.cli import ask, table
from resource_airbyte.cli.content import streams
from resource_airbyte.cli.content.progress import Key, title
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import Session
from resource_airbyte.errors import ResourceError

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte
    from resource_airbyte.model.connections import ConnectionRead
    from resource_airbyte.model.state import ConnectionState

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, stream by stream.")]
LONGEST = 60


@dataclass(frozen=True)
class Effect:
    """One stream: `rows` are those that its table has now, None where nobody can say; `state` is None without one."""

    stream: str
    table: str | None
    rows: int | None
    state: Any
    then: str


@dataclass(frozen=True)
class Effects:
    """`notes` say why something is not known, and what else happens."""

    what: str
    connection: ConnectionRead
    streams: list[Effect]
    notes: list[str] = field(default_factory=list)

    def table(self) -> Table:
        rows = [
            [
                each.stream,
                each.table or ("none yet" if each.rows == 0 else "unknown"),
                "unknown" if each.rows is None else each.rows,
                _short(each),
                each.then,
            ]
            for each in self.streams
        ]
        return Table(["stream", "table", "rows now", "state to forget", "then"], rows, spare=["state to forget"])

    def result(self) -> Result:
        """What a dry run shows."""
        data = {
            "dry_run": True,
            "operation": self.what,
            "connection": {"id": self.connection.connection_id, "name": self.connection.name},
            "streams": [asdict(each) for each in self.streams],
        }
        said = f"nothing was done: this is what {self.what} would do"
        return Result(data, self.table(), messages=[*self.notes, said])


def agree(session: Session, found: Effects, question: str) -> None:
    """Say what will be done, and ask whether it shall be."""
    for line in table.lines(found.table()):
        session.say(line)
    for note in found.notes:
        session.say(note)
    ask.confirm(session, question, force=False)


def effects(client: Airbyte, connection: ConnectionRead, names: Sequence[Key], mode: str | None) -> Effects:
    """Of a clear (`mode` None) or a refresh (truncate or merge) of these streams, or of all selected ones."""
    known, tables = streams.entries(connection, deselected=mode is None), dict[Key, Any]()
    notes: list[str] = []
    try:
        for each in client.connections.preview(connection.connection_id, 1).tables:
            tables[(each.stream_namespace, each.stream_name)] = each
    except ResourceError as error:
        notes.append(f"the rows of today are not known: {error.message}")
    state, found, asked = client.state.get(connection.connection_id), [], streams.entries(connection)
    states, unknown = _states(state), bool(notes)
    if mode is not None and names and state.global_state and asked.keys() & states.keys() - {*names}:
        notes.append("the source keeps one state for all its streams: the others are synced as well")
    for key in names or list(asked):
        table, config = tables.get(key), known[key].config
        nothing = None if unknown or key not in asked else 0
        rows = table.row_count if table else nothing
        after = then(mode, config.sync_mode, config.destination_sync_mode) if config else ""
        forgotten = states.get(key, states.get(None))
        found.append(Effect(title(key), table.table if table else None, rows, forgotten, after))
    return Effects("clear" if mode is None else f"refresh ({mode})", connection, found, notes)


def then(mode: str | None, sync: str, destination: str) -> str:
    """What becomes of the rows of a stream in these modes."""
    if mode is None:
        return "emptied"
    if mode == "truncate" or (sync == "full_refresh" and destination in ("overwrite", "overwrite_dedup")):
        return "all read again, replaces these rows"
    if destination == "append_dedup":
        return "all read again, merged into these rows by key"
    return "all read again, added to these rows"


def _states(state: ConnectionState) -> dict[Key | None, Any]:
    """The state of each stream; under None the one of the oldest kind, which is that of all."""
    if state.state_type == "legacy":
        return {None: state.state}
    found = ((each.stream_descriptor, each.stream_state) for each in state.streams)
    return {(stream.namespace, stream.name): blob for stream, blob in found}


def _short(effect: Effect) -> str:
    if effect.state is None:
        return "none"
    text = json.dumps(effect.state, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
