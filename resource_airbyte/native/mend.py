"""A batch of records whose texts are not all JSON, made JSON, and what that cost noted."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
from msgspec import Raw

from ..protocol.mend import mended

NULLED, TRUNCATED = "NULLED", "TRUNCATED"
# Why: it is not of the column's type; it is, but the column cannot hold as much; the database does not take its like.
UNFIT, TOO_LARGE, UNSAYABLE = (
    f"DESTINATION_{reason}" for reason in ("TYPECAST_ERROR", "FIELD_SIZE_LIMITATION", "SERIALIZATION_ERROR")
)


def change(field: str, what: str = NULLED, reason: str = UNFIT) -> str:
    """The entry of `_airbyte_meta.changes` for a value that became NULL here, or the nearest there is (rule 6)."""
    entry = {"field": field, "change": what, "reason": reason}
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False)


def mend(texts: Sequence[Raw | bytes], changes: pa.Array) -> tuple[list[bytes], pa.Array]:
    """The texts, each a JSON object now, and the changes with those added that this needed."""
    good: list[bytes] = []
    found: list[str | None] = changes.to_pylist()
    for at, text in enumerate(texts):
        fitting, nulled = mended(bytes(text))
        good.append(fitting)
        if nulled:
            found[at] = ",".join([*filter(None, [found[at]]), *map(change, nulled)])
    return good, pa.array(found, pa.string())
