"""Views of a column whose type is to change: PostgreSQL refuses that as long as they are there, so they step aside.

A view comes back as it was: its definition, options, owner, grants and comment. One with more than that (triggers,
rules, or rows of its own as a materialized view has) is left alone, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from ..sql.failure import refused
from ..sql.names import TableName, literal, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = Callable[[str, "Sequence[Any]"], list[tuple[Any, ...]]]
# Every view that shows the column, and all views of those; the deepest last.
_DEPENDING = """
WITH RECURSIVE seen (oid, depth) AS (
    SELECT r.ev_class, 1 FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ? AND c.relname = ? AND a.attname = ? AND r.ev_class <> d.refobjid
    UNION
    SELECT r.ev_class, s.depth + 1 FROM seen AS s
    JOIN pg_catalog.pg_depend AS d ON d.refobjid = s.oid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid WHERE r.ev_class <> s.oid
)
SELECT n.nspname, c.relname, c.relkind::text, pg_catalog.pg_get_viewdef(c.oid), c.reloptions,
    pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.obj_description(c.oid, 'pg_class'),
    (SELECT count(*) FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid)
        + (SELECT count(*) FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
    ARRAY(SELECT format('GRANT %s ON %s TO %s%s', x.privilege_type, c.oid::regclass,
        CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END,
        CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_catalog.aclexplode(c.relacl) AS x WHERE x.grantee <> c.relowner)
FROM (SELECT oid, max(depth) AS depth FROM seen GROUP BY oid) AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.oid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY s.depth, c.oid
"""


@dataclass(frozen=True)
class View:
    """A view, and what makes it again."""

    name: TableName
    kind: str
    definition: str
    options: Sequence[str]
    owner: str
    comment: str | None
    more: int
    grants: Sequence[str]

    @property
    def simple(self) -> bool:
        return self.kind == "v" and not self.more

    def statements(self) -> Iterator[str]:
        options = f" WITH ({', '.join(self.options)})" if self.options else ""
        yield f"CREATE VIEW {self.name.sql}{options} AS {self.definition}"
        yield f"ALTER VIEW {self.name.sql} OWNER TO {quoted(self.owner)}"
        yield from self.grants
        if self.comment is not None:
            yield f"COMMENT ON VIEW {self.name.sql} IS {literal(self.comment)}"


def depending(rows: Rows, table: TableName, column: str) -> list[View]:
    """The views that show a column, each before those that show it in turn."""
    found = rows(_DEPENDING, [table.schema, table.name, column])
    return [
        View(TableName(schema, name), kind, definition, options or (), owner, comment, more, grants or ())
        for schema, name, kind, definition, options, owner, comment, more, grants in found
    ]


@contextmanager
def aside(rows: Rows, execute: Callable[[str], int], table: TableName, column: str) -> Iterator[None]:
    """Drop the views of a column, and make them again afterwards, in the open transaction."""
    views = depending(rows, table, column)
    for view in views:
        if not view.simple:
            raise refused(
                f"The view {view.name} shows the column {column} of {table}, whose type is to change",
                hint="Drop it, and make it again after the sync",
            )
    for view in reversed(views):
        execute(f"DROP VIEW {view.name.sql}")
    yield
    for view in views:
        try:
            for statement in view.statements():
                execute(statement)
        except psycopg.errors.ProgrammingError as error:
            raise refused(
                f"The view {view.name} cannot be made again once the column {column} of {table} has another type: "
                f"{error.diag.message_primary}",
                hint="Change it, or drop it, then sync again",
            ) from error
