"""Names in DuckDB: quoting, and columns that differ only in case, which DuckDB takes for the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

META = ("_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id")


def quoted(name: str) -> str:
    """An identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class TableName:
    """A table with its schema and database, so that nothing is looked up by search path."""

    catalog: str
    schema: str
    name: str

    @property
    def sql(self) -> str:
        return f"{quoted(self.catalog)}.{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def key(self) -> tuple[str, str]:
        """Equal for names that DuckDB takes for the same."""
        return self.schema.casefold(), self.name.casefold()

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def column_names(fields: Iterable[str]) -> dict[str, str]:
    """Field -> column. Of fields that differ in case alone, the first in lower-before-upper order keeps its name.

    The order does not depend on the schema's, so that a source which lists its fields anew keeps its columns.
    """
    fields = list(fields)
    taken = {name.casefold() for name in META}
    spoken_for = {field.casefold() for field in fields}
    found: dict[str, str] = {}
    for field in sorted(fields, key=str.swapcase):
        name = _printable(field)
        number = 0
        while name.casefold() in taken or (number and name.casefold() in spoken_for):
            number += 1
            name = f"{_printable(field)}_{number}"
        taken.add(name.casefold())
        found[field] = name
    return {field: found[field] for field in fields}


def _printable(field: str) -> str:
    # DuckDB refuses an empty name, and a NUL ends one.
    return field.replace("\x00", "_").encode("utf-8", "replace").decode() or "_"
