"""Names in SQL: quoting, tables, and columns that a database would take for one and the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dialect import Dialect

META = ("_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id")


def quoted(name: str) -> str:
    """An identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class TableName:
    """A table with all that stands before its name, so that nothing is looked up by search path.

    `schema` is empty in a database that has none, `catalog` where one connection sees one catalog only.
    """

    schema: str
    name: str
    catalog: str = ""

    @property
    def sql(self) -> str:
        return ".".join(quoted(part) for part in (self.catalog, self.schema, self.name) if part)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def column_names(fields: Iterable[str], dialect: Dialect, there: Collection[str] = ()) -> dict[str, str]:
    """Field -> column.

    Of fields that would share a column, the one whose column is `there` already keeps its name, else the first in
    lower-before-upper order.

    The order does not depend on the schema's, so that a source which lists its fields anew keeps its columns.
    """
    fields = list(fields)
    taken = {*map(dialect.fold, META), *dialect.reserved}
    spoken_for = {dialect.fold(field) for field in fields}
    found: dict[str, str] = {}
    for field in sorted(fields, key=lambda field: (dialect.identifier(field) not in there, field.swapcase())):
        name = plain = dialect.identifier(field)
        number = 0
        while dialect.fold(name) in taken or (number and dialect.fold(name) in spoken_for):
            number += 1
            name = dialect.identifier(plain, f"_{number}")
        taken.add(dialect.fold(name))
        found[field] = name
    return {field: found[field] for field in fields}
