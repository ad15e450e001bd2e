"""Tables as "direct load" makes them: four columns of Airbyte's, then one typed column per field."""

from __future__ import annotations

from dataclasses import replace

from ...protocol.seams import StreamSetup
from ...protocol.types import AirbyteType, columns
from .database import TABLE, Database, Shape, Table
from .dialect import Dialect
from .failure import refused
from .names import META, TableName, quoted


def shape(setup: StreamSetup, database: Database, table: TableName) -> Shape:
    """The columns of a stream, in this table or in one that is to replace it."""
    fields = tuple(columns(setup.json_schema))
    named = database.kept.columns(setup, [field.name for field in fields], tuple(database.described(table)))
    return Shape(fields, tuple(named[field.name] for field in fields))


def create(database: Database, name: TableName, wanted: Shape, setup: StreamSetup) -> Table:
    """Make the table, and its schema if need be."""
    types = _wanted_types(database.dialect, wanted)
    _refuse_too_many(database, setup, len(types))
    database.ensure_schema(name.schema)
    required = database.dialect.required
    listed = ", ".join(
        f"{quoted(column)} {sql_type}{' NOT NULL' if column in required else ''}" for column, sql_type in types.items()
    )
    database.execute(f"CREATE TABLE {name.sql} ({listed})")
    return Table(name, wanted, types)


def ensure(database: Database, name: TableName, wanted: Shape, setup: StreamSetup) -> Table:
    """Make the table, or fit the one that exists: columns are added and widened, none is dropped."""
    found = database.kind(name)
    if found is None:
        return create(database, name, wanted, setup)
    if found != TABLE:
        raise in_the_way(name)
    fold = database.dialect.fold
    have = {fold(column): sql_type for column, sql_type in database.described(name).items()}
    _refuse_too_many(database, setup, len(have.keys() | set(map(fold, _wanted_types(database.dialect, wanted)))))
    types = {
        column: _fit(database, name, column, have.get(fold(column)), sql_type)
        for column, sql_type in _wanted_types(database.dialect, wanted).items()
    }
    return Table(name, _as_held(database.dialect, wanted, types), types)


def _as_held(dialect: Dialect, wanted: Shape, types: dict[str, str]) -> Shape:
    """A whole number that goes to a column of floating ones is read as one, so that it is noted if it is not exact."""
    if dialect.exact:
        return wanted
    fields = (
        replace(field, type=AirbyteType.NUMBER)
        if field.type is AirbyteType.INTEGER and types[name] == dialect.types[AirbyteType.NUMBER]
        else field
        for field, name in zip(wanted.fields, wanted.names, strict=True)
    )
    return replace(wanted, fields=tuple(fields))


def in_the_way(name: TableName) -> Exception:
    """The error of a view where a stream's table should be."""
    return refused(f"{name} is a view; drop or rename it, so that the stream's table can take its place")


def _refuse_too_many(database: Database, setup: StreamSetup, columns: int) -> None:
    most = database.most_columns
    if most is not None and columns > most:
        raise refused(
            f"The stream {setup.stream} would need a table of {columns:,} columns, {len(META)} of them Airbyte's own, "
            f"and a table of {database.place} cannot have more than {most:,}",
            hint="Choose fewer of its fields: fields: [id, …] of the stream in the content file",
        )


def drop(database: Database, name: TableName) -> None:
    """Drop the table, if it is there."""
    database.execute(database.dialect.drop.format(name.sql))


def index(database: Database, name: TableName, wanted: Shape, setup: StreamSetup) -> None:
    """Index what a merge looks for, and the time at which rows came."""
    dedups = setup.destination_sync_mode == "append_dedup"
    paths = (setup.primary_key, (setup.cursor,)) if dedups else ()
    groups = [tuple(filter(None, (_indexable(wanted, path) for path in group))) for group in paths]
    database.index(name, [group for group in (*groups, META[1:2]) if group])


def _indexable(wanted: Shape, path: tuple[str, ...]) -> str | None:
    """The column of a path; None inside of JSON, whose values may be too long for an index."""
    found = wanted.column(path[0]) if len(path) == 1 else None
    return found[0] if found and found[1] is not AirbyteType.JSON else None


def _wanted_types(dialect: Dialect, wanted: Shape) -> dict[str, str]:
    own = {name: dialect.types[field.type] for field, name in zip(wanted.fields, wanted.names, strict=True)}
    return {**dialect.meta, **own}


def _fit(database: Database, name: TableName, column: str, have: str | None, want: str) -> str:
    """Make the column able to hold the wanted type, and return the type that it has then."""
    holds = database.dialect.holds
    if have is None:
        database.execute(f"ALTER TABLE {name.sql} ADD COLUMN {quoted(column)} {want}")
        return want
    if have == want or want in holds.get(have, ()):
        return have
    for wider in (want, database.dialect.types[AirbyteType.STRING]):  # a text holds every value as it was
        if have in holds.get(wider, ()) and not _would_change(database, name, column, have, wider):
            database.widen(name, column, have, wider)
            return wider
    raise refused(
        f"The column {column} of {name} is {have}, but the stream's schema now says {want}, which cannot hold it",
        hint="Rebuild the table (resource-airbyte content refresh --name CONNECTION), or rename the column",
    )


def _would_change(database: Database, name: TableName, column: str, have: str, want: str) -> bool:
    test = database.dialect.inexact(quoted(column), have, want)
    return test is not None and bool(database.rows(f"SELECT 1 FROM {name.sql} WHERE {test} LIMIT 1"))
