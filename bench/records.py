"""Nested records to measure with: users with an address and a list, about 600 bytes each, the same ones every time."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "created_at": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
        "updated_at": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_with_timezone"},
        "name": {"type": "string"},
        "title": {"type": "string"},
        "age": {"type": "integer"},
        "email": {"type": "string"},
        "telephone": {"type": "string"},
        "gender": {"type": "string"},
        "language": {"type": "string"},
        "academic_degree": {"type": "string"},
        "nationality": {"type": "string"},
        "occupation": {"type": "string"},
        "height": {"type": "number"},
        "blood_type": {"type": "string"},
        "weight": {"type": "integer"},
        "address": {"type": "object", "properties": {"city": {"type": "string"}}},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "juniper")


def user(number: int, chance: random.Random) -> dict[str, Any]:
    pick = chance.choice
    address = {
        "street_number": str(chance.randint(1, 999)),
        "street_name": pick(WORDS),
        "city": pick(WORDS),
        "state": pick(WORDS),
        "province": pick(WORDS),
        "postal_code": f"{chance.randint(10000, 99999)}",
        "country_code": "DE",
    }
    return {
        "id": number,
        "created_at": f"20{chance.randint(10, 24)}-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}T12:34:56+00:00",
        "updated_at": f"2026-11-2{chance.randint(0, 9)}T01:02:03+00:00",
        "name": pick(WORDS),
        "title": "Dr.",
        "age": chance.randint(18, 99),
        "email": f"{pick(WORDS)}+{number}@example.com",
        "telephone": f"+1-{chance.randint(100, 999)}-{chance.randint(1000, 9999)}",
        "gender": "Other",
        "language": pick(WORDS),
        "academic_degree": "PhD",
        "nationality": pick(WORDS),
        "occupation": f"{pick(WORDS)} keeper",
        "height": chance.randint(140, 210) / 100,
        "blood_type": "0+",
        "weight": chance.randint(40, 120),
        "address": address,
        "tags": [pick(WORDS), pick(WORDS)],
    }


def write(folder: Path, count: int) -> tuple[Path, Path]:
    """Two files with the same records: bare ones, a JSON object a line, and as a source would emit them."""
    bare, protocol, chance = folder / "records.jsonl", folder / "protocol.jsonl", random.Random(7)
    with bare.open("w") as plain, protocol.open("w") as wire:
        for number in range(count):
            text = json.dumps(user(number, chance), separators=(",", ":"))
            plain.write(text + "\n")
            wire.write('{"type":"RECORD","record":{"stream":"users","data":' + text + ',"emitted_at":1795221111520}}\n')
    return bare, protocol
