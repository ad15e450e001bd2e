"""What goes back: JSON without nulls, or nothing at all."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Response

from resource_airbyte.model.base import Wire


def answer(body: Wire, status: int = 200) -> Response:
    return json_answer(body.wire(), status)


def json_answer(body: Any, status: int = 200) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    # Half a character that is kept from earlier must not take the rest of a list with it.
    return Response(text.encode(errors="replace"), status_code=status, media_type="application/json")


def deleted() -> Response:
    return Response(status_code=204)
