"""Which table is whose, and which of its columns is which field's: chosen once, and kept beside the rows.

Names that a database takes for the same, or has to change, may come to be equal. The first one gets the plain name, and
others one with a hash (tables) or a number (columns). Who was first is written down: in another order, or with one of
them gone, nothing changes its place.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from .dialect import Dialect
from .names import TableName, column_names, quoted

if TYPE_CHECKING:
    from ...protocol.messages import StreamDescriptor
    from ...protocol.seams import StreamSetup

TABLE = "_airbyte_tables"
COLUMNS = ("folded", "table_name", "namespace", "name", "fields")
AT_ONCE = 200  # rows of one INSERT
Owner = tuple[str | None, str]


@dataclass(frozen=True)
class Entry:
    """A stream's table. `fields` says which column a field has, where that is not the field's very name; None: nobody
    has looked yet, so what the table has may be of a time when that was not written down.
    """

    table: str
    fields: Mapping[str, str] | None = None


class Naming(Protocol):
    """What is asked of a database to read the entries, and to say where a stream's table lies; see Readable."""

    dialect: Dialect
    ledger: str

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...
    def owner(self, namespace: str | None, name: str) -> Owner: ...
    def schema(self, namespace: str | None) -> str: ...
    def plain(self, namespace: str | None, name: str) -> str: ...
    def located(self, schema: str, name: str) -> TableName: ...
    def described(self, name: TableName) -> dict[str, str]: ...


class Choosing(Naming, Protocol):
    """The same to choose tables, and to write down which; see Database."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int: ...
    def alone(self) -> None: ...
    def spelled(self, name: TableName) -> str | None: ...


class Kept:
    """The entries of a database, of all connections that write into it."""

    def __init__(self, database: Naming) -> None:
        self._database = database
        self._name = database.located(database.ledger, TABLE)
        self._entries: dict[Owner, Entry] | None = None

    def table(self, owner: Owner) -> str | None:
        """The table of a stream; None when none was chosen yet."""
        entry = self._known().get(owner)
        return entry.table if entry else None

    def fields(self, owner: Owner) -> Mapping[str, str] | None:
        """See Entry."""
        entry = self._known().get(owner)
        return entry.fields if entry else None

    def _known(self) -> dict[Owner, Entry]:
        if self._entries is None:
            self._entries = dict(self._read())
        return self._entries

    def _read(self) -> Iterator[tuple[Owner, Entry]]:
        there = self._database.described(self._name)
        if not there:
            return
        fields = quoted("fields") if "fields" in there else "NULL"
        for table, namespace, name, text in self._database.rows(
            f"SELECT table_name, namespace, name, {fields} FROM {self._name.sql}"
        ):
            yield (namespace, name), Entry(table, None if text is None else json.loads(text))


class Claims(Kept):
    """The same, in the transaction that chooses the tables of a sync's streams."""

    def __init__(self, database: Choosing) -> None:
        super().__init__(database)
        self._writable = database
        self._before: dict[Owner, Entry] = {}
        self._sure = False

    def claim(self, streams: Sequence[StreamSetup], loaded: Mapping[StreamDescriptor, TableName]) -> None:
        """Choose a table for each stream that has none. `loaded` are those that streams have been loaded into so far:
        an earlier version may have done it, which wrote nothing down. They keep theirs, even if others have it too.
        """
        wanted = {self._database.owner(stream.namespace, stream.name): stream.stream for stream in streams}
        if not wanted.keys() - self._known().keys():
            return
        self._alone()
        taken = {self._place(namespace, entry.table) for (namespace, _), entry in self._known().items()}
        missing = {owner: self._database.plain(*owner) for owner in wanted if owner not in self._known()}
        for owner, plain in missing.items():
            of = loaded.get(wanted[owner])
            if of and self._place(owner[0], plain) == self._database.dialect.fold(of.sql):
                self._known()[owner] = Entry(plain)
                taken.add(self._place(owner[0], plain))
        for owner in self._ordered({owner: plain for owner, plain in missing.items() if owner not in self._known()}):
            entry = Entry(self._free(owner, taken))
            taken.add(self._place(owner[0], entry.table))
            self._known()[owner] = entry

    def _alone(self) -> None:
        """From here to the end of the transaction what we know is all there is."""
        if not self._sure:
            self._writable.alone()
            self._before = dict(self._read())
            self._entries, self._sure = dict(self._before), True

    def _ordered(self, owners: Mapping[Owner, str]) -> list[Owner]:
        """The order of names, so that it is not that of the streams; but of those that would get the same table, one
        for whose very name there is a table goes first.
        """
        places = {owner: self._place(owner[0], plain) for owner, plain in owners.items()}
        rivals = Counter(places.values())
        return sorted(
            owners,
            key=lambda owner: (
                rivals[places[owner]] == 1 or not self._spelled(owner),
                owner[0] or "",
                owner[1].swapcase(),
            ),
        )

    def _place(self, namespace: str | None, table: str) -> str:
        return self._database.dialect.fold(self._located(namespace, table).sql)

    def _located(self, namespace: str | None, table: str) -> TableName:
        return self._database.located(self._database.schema(namespace), table)

    def _spelled(self, owner: Owner) -> bool:
        return self._writable.spelled(self._located(*owner)) == owner[1]

    def _free(self, owner: Owner, taken: set[str]) -> str:
        namespace, name = owner
        plain = self._database.plain(namespace, name)
        mark = hashlib.sha256(f"{namespace}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()
        marked = (self._database.dialect.identifier(plain, f"_{mark[:size]}") for size in (8, 16, 32))
        free = (each for each in (plain, *marked) if not self._others(namespace, each, taken))
        return next(free, plain)

    def _others(self, namespace: str | None, table: str, taken: set[str]) -> bool:
        """Whether another stream has this table; one that is there and spelled differently is another's, too."""
        if self._place(namespace, table) in taken or self._database.dialect.cased:
            return self._place(namespace, table) in taken
        return self._writable.spelled(self._located(namespace, table)) not in (None, table)

    def columns(self, setup: StreamSetup, fields: Sequence[str], there: Sequence[str]) -> dict[str, str]:
        """Field -> column of a stream whose table has these columns so far; kept by `save`."""
        owner = self._database.owner(setup.namespace, setup.name)
        named = self._named(owner, fields, there)
        odd = {field: column for field, column in named.items() if field != column}
        before = self._known()[owner].fields
        if before is None or odd.items() - before.items():
            self._alone()
            named = self._named(owner, fields, there)  # what somebody else may have written meanwhile holds
            odd = {field: column for field, column in named.items() if field != column}
            entry = self._known()[owner]
            self._known()[owner] = replace(entry, fields={**(entry.fields or {}), **odd})
        return named

    def _named(self, owner: Owner, fields: Sequence[str], there: Sequence[str]) -> dict[str, str]:
        return column_names(fields, self._database.dialect, there, self._known()[owner].fields)

    def save(self) -> None:
        """Write what is new, in the open transaction."""
        if not self._sure:
            return
        changed = {owner: entry for owner, entry in self._known().items() if self._before.get(owner) != entry}
        if not changed:
            return
        self._make()
        for owner in changed.keys() & self._before.keys():
            same = self._database.dialect.same
            test = f"{same('namespace', '?')} AND {same('name', '?')}"
            self._writable.execute(f"DELETE FROM {self._name.sql} WHERE {test}", owner)
        rows = [self._row(owner, entry) for owner, entry in changed.items()]
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            places = ", ".join(["(?, ?, ?, ?, ?)"] * len(some))
            values = [value for row in some for value in row]
            self._writable.execute(f"INSERT INTO {self._name.sql} ({', '.join(COLUMNS)}) VALUES {places}", values)

    def _make(self) -> None:
        there = self._database.described(self._name)
        if not there:
            columns = ", ".join(f"{column} VARCHAR" for column in COLUMNS)
            self._writable.execute(f"CREATE TABLE {self._name.sql} ({columns})")
        elif "fields" not in there:
            self._writable.execute(f"ALTER TABLE {self._name.sql} ADD COLUMN fields VARCHAR")

    def _row(self, owner: Owner, entry: Entry) -> tuple[Any, ...]:
        fields = None if entry.fields is None else json.dumps(entry.fields, sort_keys=True)
        return self._database.dialect.fold(entry.table), entry.table, *owner, fields
