"""Arrow into DuckDB: one INSERT, in which the columns that Arrow has in another form get their own."""

from __future__ import annotations

from ..sql.database import Batch
from ..sql.names import literal
from .dialect import SQL_TYPES


def insertion(batch: Batch) -> str:
    """The statement that inserts a batch from a table of the name `airbyte_batch`."""
    table = batch.table
    own = "".join(
        f", {_into(f'c{index}', SQL_TYPES[field.type], table.types[name])}"
        for index, (field, name) in enumerate(zip(table.shape.fields, table.shape.names, strict=True))
    )
    meta = _meta(batch.sync_id, changed=batch.changed)
    return (
        f"INSERT INTO {batch.into} ({table.columns()}) SELECT raw_id, extracted_at, {meta}, "
        f"{batch.generation}{own} FROM airbyte_batch"
    )


def _into(expression: str, given: str, actual: str) -> str:
    if actual == given and not given.startswith("TIME "):
        return expression if given != "TIME" else f"CAST({expression} AS TIME)"
    return f"to_json({expression})" if actual == "JSON" else f"CAST({expression} AS {actual})"


def _meta(sync_id: int, *, changed: bool) -> str:
    """The expression for `_airbyte_meta`."""
    head = f'{{"sync_id":{sync_id},"changes":['
    if not changed:
        return literal(head + "]}") + "::JSON"
    return f"({literal(head)} || coalesce(changes, '') || ']}}')::JSON"
