"""What the SQL of one database says differently from that of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from ...protocol.types import AirbyteType


class Dialect:
    """Standard SQL where there is such a thing; a database overrides what it says in another way.

    Names come quoted, and expressions ready to be used.
    """

    types: Mapping[AirbyteType, str]
    """The type of a column, spelled as the database spells it when asked what columns a table has."""
    meta: Mapping[str, str]
    """Airbyte's own columns and their types."""
    required: AbstractSet[str] = frozenset()
    """Those of them that are NOT NULL in a new table."""
    holds: Mapping[str, AbstractSet[str]] = {}
    """A column of the first type takes every value of the others unchanged, so it may stay, or become, the first."""
    cased = False
    """Whether names that differ in case alone are two names."""
    exact = False
    """Whether its numbers are decimals of any length; then they come to `load` as texts."""
    reserved: AbstractSet[str] = frozenset()
    """Names, folded, that a stream's column cannot have: it would hide the database's own, or be refused."""
    row = "rowid"
    """What tells a row of a table from the others; a column of this name would hide it, so it is `reserved`."""
    arrival = "rowid"
    """A column, or an expression after the alias of its table, that grows with each row that is inserted."""
    raw_id = "_airbyte_raw_id"
    """The raw id, to be compared with another: a later row's is greater."""
    own = "true"
    """True of every row that a stream brought; {0} is the alias of its table."""
    drop = "DROP TABLE IF EXISTS {0}"
    spelled: str
    """The number that a text or JSON, `?`, spells; NULL for none."""
    sync_id: str
    """The sync id of a row, out of `_airbyte_meta`."""

    def fold(self, name: str) -> str:
        """Equal for names that the database takes for the same."""
        return name.casefold()

    def identifier(self, name: str, suffix: str = "") -> str:
        """A name as this database can have it for a table or a column, with this at its end."""
        return (name.replace("\x00", "_").encode("utf-8", "replace").decode() or "_") + suffix

    def same(self, one: str, other: str) -> str:
        """Whether two values are equal; NULL is equal to NULL."""
        return f"{one} IS NOT DISTINCT FROM {other}"

    def matches(self, pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Whether each pair is the same, as conditions of which one holds then, and never two.

        More than one for a database that could not find equal rows fast by a single one. Before each stands what must
        be true of some of the first values, for it to hold at all.
        """
        return [("true", " AND ".join(self.same(one, other) for one, other in pairs))]

    def delete(self, table: str, alias: str, other: str, its: str, test: str) -> str:
        """The statement that deletes the rows of one table for which another has one that passes the test.

        New rows have the alias `d`, those that they are merged into `t`.
        """
        return f"DELETE FROM {table} AS {alias} WHERE EXISTS (SELECT 1 FROM {other} AS {its} WHERE {test})"

    def temporary(self, name: str) -> str:
        """A temporary table of this connection."""
        return f"temp.{name}"

    def inexact(self, column: str, have: str, want: str) -> str | None:
        """A condition that finds values which would change if the column became `want`; None: there can be none."""
        return None
