"""Tables as "direct load" makes them: four columns of Airbyte's, then one typed column per field."""

from __future__ import annotations

from dataclasses import dataclass

from ...protocol.seams import StreamSetup
from ...protocol.types import AirbyteType, Column, columns
from .database import Database
from .names import META, TableName, column_names, literal, quoted
from .specification import refused

SQL_TYPES = {
    AirbyteType.STRING: "VARCHAR",
    AirbyteType.BOOLEAN: "BOOLEAN",
    AirbyteType.INTEGER: "BIGINT",
    AirbyteType.NUMBER: "DOUBLE",
    AirbyteType.DATE: "DATE",
    AirbyteType.TIMESTAMP_TZ: "TIMESTAMP WITH TIME ZONE",
    AirbyteType.TIMESTAMP: "TIMESTAMP",
    AirbyteType.TIME_TZ: "TIME WITH TIME ZONE",
    AirbyteType.TIME: "TIME",
    AirbyteType.JSON: "JSON",
}
META_TYPES = dict(zip(META, ("VARCHAR", "TIMESTAMP WITH TIME ZONE", "JSON", "BIGINT"), strict=True))
# A column of the first type takes every value of the others unchanged, so it may stay, or become, the first.
HOLDS = {
    "VARCHAR": set(SQL_TYPES.values()),
    "JSON": set(SQL_TYPES.values()),
    "DOUBLE": {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT"},
    "BIGINT": {"TINYINT", "SMALLINT", "INTEGER", "UINTEGER"},
    "TIMESTAMP WITH TIME ZONE": {"TIMESTAMP", "DATE"},
    "TIMESTAMP": {"DATE"},
    "TIME WITH TIME ZONE": {"TIME"},
}
EXACT = "trunc({0})::BIGINT BETWEEN -9007199254740992 AND 9007199254740992"


@dataclass(frozen=True)
class Shape:
    """The fields of a stream and the columns they go to, in order."""

    fields: tuple[Column, ...]
    names: tuple[str, ...]

    def column(self, field: str) -> tuple[str, AirbyteType] | None:
        """The column of a top-level field, and its type."""
        for column, name in zip(self.fields, self.names, strict=True):
            if column.name == field:
                return name, column.type
        return None


@dataclass(frozen=True)
class Table:
    """A table that exists, and the types that its columns have there (by case-folded name)."""

    name: TableName
    shape: Shape
    types: dict[str, str]

    def select(self) -> str:
        """The SELECT list that turns a typist's columns into this table's."""
        return "".join(
            f", {_into(f'c{index}', SQL_TYPES[field.type], self.types[name.casefold()])}"
            for index, (field, name) in enumerate(zip(self.shape.fields, self.shape.names, strict=True))
        )

    def columns(self) -> str:
        """The column list of an INSERT: Airbyte's own, then the stream's."""
        return ", ".join(map(quoted, (*META, *self.shape.names)))


def shape(setup: StreamSetup) -> Shape:
    """The columns of a stream."""
    fields = tuple(columns(setup.json_schema))
    named = column_names(field.name for field in fields)
    return Shape(fields, tuple(named[field.name] for field in fields))


def kind(database: Database, name: TableName) -> str | None:
    """`BASE TABLE`, `VIEW`, or None when there is nothing of this name."""
    sql = (
        "SELECT table_type FROM information_schema.tables WHERE table_catalog = ? "
        "AND lower(table_schema) = lower(?) AND lower(table_name) = lower(?)"
    )
    found = database.rows(sql, [name.catalog, name.schema, name.name])
    return str(found[0][0]) if found else None


def create(database: Database, name: TableName, wanted: Shape) -> Table:
    """Make the table, and its schema if need be."""
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.catalog)}.{quoted(name.schema)}")
    types = {**META_TYPES, **_wanted_types(wanted)}
    listed = ", ".join(f"{quoted(column)} {sql_type}" for column, sql_type in types.items())
    database.execute(f"CREATE TABLE {name.sql} ({listed})")
    return Table(name, wanted, {column.casefold(): sql_type for column, sql_type in types.items()})


def ensure(database: Database, name: TableName, wanted: Shape) -> Table:
    """Make the table, or fit the one that exists: columns are added and widened, none is dropped."""
    found = kind(database, name)
    if found is None:
        return create(database, name, wanted)
    if found != "BASE TABLE":
        raise refused(f"{name} is a view; drop or rename it, so that the stream's table can take its place")
    types = actual_types(database, name)
    for column, sql_type in {**META_TYPES, **_wanted_types(wanted)}.items():
        types[column.casefold()] = _fit(database, name, column, types.get(column.casefold()), sql_type)
    return Table(name, wanted, types)


def drop(database: Database, name: TableName) -> None:
    """Drop the table, if it is there."""
    database.execute(f"DROP TABLE IF EXISTS {name.sql}")


def actual_types(database: Database, name: TableName) -> dict[str, str]:
    """The types of a table's columns, by case-folded name."""
    sql = (
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ? "
        "AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?) ORDER BY column_index"
    )
    return {
        str(column).casefold(): str(found)
        for column, found in database.rows(sql, [name.catalog, name.schema, name.name])
    }


def _wanted_types(wanted: Shape) -> dict[str, str]:
    return {name: SQL_TYPES[field.type] for field, name in zip(wanted.fields, wanted.names, strict=True)}


def _fit(database: Database, name: TableName, column: str, have: str | None, want: str) -> str:
    """Make the column able to hold the wanted type, and return the type that it has then."""
    alter = f"ALTER TABLE {name.sql}"
    if have is None:
        database.execute(f"{alter} ADD COLUMN {quoted(column)} {want}")
        return want
    if have == want or want in HOLDS.get(have, set()):
        return have
    if have not in HOLDS.get(want, set()) or not _exact(database, name, column, have, want):
        raise refused(
            f"The column {column} of {name} is {have}, but the stream's schema now says {want}, which cannot hold it",
            hint="Run the sync with --options refresh=true to rebuild the table, or rename the column",
        )
    using = f" USING to_json({quoted(column)})" if want == "JSON" else ""
    database.execute(f"{alter} ALTER COLUMN {quoted(column)} SET DATA TYPE {want}{using}")
    return want


def _exact(database: Database, name: TableName, column: str, have: str, want: str) -> bool:
    """Whether whole numbers that are to become DOUBLE are all small enough to stay the same."""
    if (have, want) != ("BIGINT", "DOUBLE"):
        return True
    test = EXACT.format(quoted(column))
    return not database.rows(f"SELECT 1 FROM {name.sql} WHERE NOT ({test}) LIMIT 1")


def _into(expression: str, given: str, actual: str) -> str:
    if actual == given and not given.startswith("TIME "):
        return expression if given != "TIME" else f"CAST({expression} AS TIME)"
    return f"to_json({expression})" if actual == "JSON" else f"CAST({expression} AS {actual})"


def meta(sync_id: int, *, changed: bool) -> str:
    """The expression for `_airbyte_meta`."""
    head = f'{{"sync_id":{sync_id},"changes":['
    if not changed:
        return literal(head + "]}") + "::JSON"
    return f"({literal(head)} || coalesce(changes, '') || ']}}')::JSON"
