"""Names in SQL: quoting, tables, and columns that a database would take for one and the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


def column_names(
    fields: Iterable[str], dialect: Dialect, there: Collection[str] = (), kept: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Field -> column.

    `there` are the columns of the table, `kept` what was written down of them: which column a field has, where that is
    not its very name. If nothing was, a column is taken for that of the field which would get it. Of fields that would
    share a column, the one that has it already keeps it, else the first in lower-before-upper order gets it.

    The order does not depend on the schema's, so that a source which lists its fields anew keeps its columns.
    """
    fields, fold, found = list(fields), dialect.fold, dict(kept or {})
    taken = {*map(fold, META), *dialect.reserved, *map(fold, found.values())}
    spoken_for = {fold(field) for field in fields}
    others = set() if kept is None else set(map(fold, there))

    def has(field: str) -> bool:
        plain = dialect.identifier(field)
        return plain in there and (kept is None or plain == field)

    for field in sorted(
        (field for field in fields if field not in found), key=lambda each: (not has(each), each.swapcase())
    ):
        name = plain = dialect.identifier(field)
        number = 0
        avoided = others - {fold(plain)} if has(field) else others
        while fold(name) in taken | avoided or (number and fold(name) in spoken_for):
            number += 1
            name = dialect.identifier(plain, f"_{number}")
        taken.add(fold(name))
        found[field] = name
    return {field: found[field] for field in fields}
