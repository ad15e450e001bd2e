"""Malformed lines: whatever comes, every record that is well-formed is read, once, and what is lost is known to be."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from typing import Any

import pytest
from mutator import MUTATIONS, STREAMS, mutated

from resource_airbyte.engine.connectors.configurations.redact import Redactor
from resource_airbyte.engine.connectors.launch import Launch
from resource_airbyte.engine.connectors.probe import CHECK, DEAF, _Probe
from resource_airbyte.protocol.chunk import Chunk
from resource_airbyte.protocol.reader import events
from resource_airbyte.protocol.seams import BadLine, Event

LINES = int(os.environ.get("FUZZ_LINES", "3000"))
FIRST = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1_000_000)
OTHERS = ("LOG", "TRACE", "STATE", "CONTROL", "SPEC", "CATALOG", "CONNECTION_STATUS")
LAST_MOMENT = 253_402_300_799_999


def refused(constant: str) -> Any:
    raise ValueError(constant)


def json_of(line: bytes) -> Any:
    """What the standard calls JSON, read by another reader than ours; None for what is not."""
    try:
        return json.loads(line.decode(), parse_constant=refused)
    except (ValueError, RecursionError):
        return None


def well_formed(line: bytes) -> str | None:
    """The stream, when this is a record by the letter of the protocol."""
    message = json_of(line)
    record = message.get("record") if isinstance(message, dict) and message.get("type") == "RECORD" else None
    if not isinstance(record, dict) or not isinstance(record.get("data"), dict):
        return None
    at, name, space = record.get("emitted_at", 0), record.get("stream"), record.get("namespace")
    good = isinstance(at, int | float) and not isinstance(at, bool) and 0 <= at <= LAST_MOMENT
    names = [each for each in (name, space) if each is not None]
    whole = all(isinstance(each, str) and each.isprintable() for each in names)  # no halves of surrogates
    return name if good and isinstance(name, str) and whole else None


def reading(data: bytes, size: int) -> Any:
    blocks = iter([data[at : at + size] for at in range(0, len(data), size)])
    return lambda _: next(blocks, b"")


def heard(data: bytes, size: int = 1 << 20) -> list[Event]:
    return list(events(reading(data, size)))


def summary(found: list[Event]) -> Counter[str]:
    """How much of what, whichever way it was cut into chunks."""
    told: Counter[str] = Counter()
    for event in found:
        if isinstance(event, Chunk):
            assert len(event.records) == len(event.lines)
            told[f"record of {event.stream}"] += len(event)
        else:
            told[f"{type(event).__name__} {getattr(event, 'record', '')}"] += 1
    return told


@pytest.mark.parametrize("number", range(3))
def test_no_malformed_line_harms_another_or_vanishes(number: int) -> None:
    seed = FIRST + number
    print(f"seed {seed}, {LINES} lines")
    text = b"\n".join(mutated(seed, LINES))
    alone: Counter[str] = Counter()
    for line in text.split(b"\n"):
        found = heard(line)
        alone += summary(found)
        stream = well_formed(line)
        if stream is not None:
            (chunk,) = found
            assert isinstance(chunk, Chunk), (seed, line, found)
            assert (chunk.stream.name, len(chunk)) == (stream, 1), (seed, line)
            if b"\\ud" not in line:
                assert json.loads(bytes(chunk.records[0].data)) == json_of(line)["record"]["data"]
    assert summary(heard(text, random.Random(seed).choice((100, 4096, 1 << 20)))) == alone, seed


@pytest.mark.parametrize("number", range(3))
def test_a_record_that_cannot_be_read_is_known_to_be_lost(number: int) -> None:
    """One line, alone, after one change: it is read as what it was, or known to be lost, or says it is another."""
    seed = FIRST + number
    chance = random.Random(seed)
    print(f"seed {seed}")
    for turn in range(LINES // 3):
        data = {"id": turn, "name": "a", "deep": {"a": [1]}}
        line = json.dumps({"type": "RECORD", "record": {"stream": chance.choice(STREAMS), "data": data}}).encode()
        changed = chance.choice(MUTATIONS)(chance, line)
        if b"\n" in changed:
            continue
        found = heard(changed)
        message = json_of(changed)
        if isinstance(message, dict) and message.get("type") in OTHERS:
            continue
        ok = any(isinstance(e, Chunk) or (isinstance(e, BadLine) and e.record) for e in found)
        assert ok or len(changed) < 3 or not changed.lstrip().startswith(b'{"'), (seed, changed, found)


def test_no_malformed_line_harms_a_probe() -> None:
    print(f"seed {FIRST}")
    launch = Launch(("none",), {}, name="source-fuzzed", version="1")
    asked = _Probe(CHECK, launch, 1.0, DEAF, Redactor({"password": "hunter2222"}))
    for line in b"\n".join(mutated(FIRST, LINES)).split(b"\n"):
        asked.line(line)
    assert asked.foreign > LINES // 50
