"""Everything that a source can do to a sync, tried with the scripted one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from rehearsal import COMPLETE, PEOPLE, STARTED, gone, rehearse, some

from resource_airbyte import process
from resource_airbyte.engine.connectors.children import child
from resource_airbyte.engine.connectors.launch import Launch
from resource_airbyte.engine.replication import replicate
from resource_airbyte.protocol import reader

pytestmark = pytest.mark.slow  # each runs a process of its own
Scripted = Callable[..., Launch]
BOM = "efbbbf"


def line(kind: str, **payload: Any) -> bytes:
    return json.dumps({"type": kind, **payload}).encode()


RECORD = line("RECORD", record={"stream": "people", "data": {"id": 7}, "emitted_at": 1})


def hexed(data: bytes) -> dict[str, str]:
    return {"bytes": data.hex()}


# Exit codes that lie, in both directions


def test_an_error_trace_fails_it_in_spite_of_exit_code_0(scripted: Scripted) -> None:
    done = rehearse(scripted(), STARTED, some(3), COMPLETE, {"error": "half of it is missing"}, {"exit": 0})
    assert done.messages == ["half of it is missing"]


@pytest.mark.parametrize("end", [{"exit": 1}, {"exit": 120}, {"kill": 9}, {"kill": 11}])
def test_an_end_that_is_not_well_after_everything_was_complete_is_only_told(scripted: Scripted, end: Any) -> None:
    done = rehearse(scripted(), STARTED, some(3), {"state": "people"}, COMPLETE, {"say": "could not tidy up"}, end)
    assert done.messages == []
    assert done.destination.complete == {PEOPLE}
    (told,) = [text for text in done.notes.lines if "after every stream was complete" in text]
    assert told.startswith("WARN")
    assert "could not tidy up" in told


@pytest.mark.parametrize("before", [[], [STARTED], [STARTED, {"status": ["people", "INCOMPLETE"]}]])
def test_an_exit_code_fails_what_is_not_complete(scripted: Scripted, before: list[Any]) -> None:
    done = rehearse(scripted(), *before, some(3), {"say": "Traceback"}, {"say": "KeyError: 'x'"}, {"exit": 1})
    assert len(done.messages) == 1
    assert "exit code 1" in done.messages[0]
    assert done.messages[0].endswith("KeyError: 'x'")
    assert done.destination.complete == frozenset()


def test_a_crash_at_import_ends_with_the_last_lines_of_stderr(scripted: Scripted) -> None:
    done = rehearse(scripted(), {"crash": "no module named nothing"})
    assert done.messages[0].endswith("RuntimeError: no module named nothing")


# The ways in which messages are written


@pytest.mark.parametrize("style", ["compact", "spaced"])
@pytest.mark.parametrize("floats", [False, True])
def test_json_spaced_or_compact_with_whole_numbers_or_floats(scripted: Scripted, style: str, floats: bool) -> None:
    done = rehearse(scripted(), {"style": style}, {"floats": floats}, STARTED, some(3), {"state": "people"}, COMPLETE)
    assert done.messages == []
    assert len(done.rows) == 3
    assert done.outcome.counts[PEOPLE].claimed == 3


@pytest.mark.parametrize(
    "text",
    [
        b'{"record":{"data":{"id":7},"emitted_at":1.7e12,"stream":"people"},"type":"RECORD"}',
        b'{"type":"LOG","type":"RECORD","record":{"stream":"x","stream":"people","data":{"id":7},"emitted_at":1}}',
        b'{"type":"RECORD","new":[1],"record":{"stream":"people","data":{"id":7},"emitted_at":1,"new":{"a":1}}}',
        RECORD + b"\r",
        b"  " + RECORD + b" \t",
        bytes.fromhex(BOM) + RECORD,
        b"\x00\x00" + RECORD,
        b'{"type":"RECORD","record":{"stream":"people","data":{"id":7},"emitted_at":1,"namespace":null,"meta":null},'
        b'"log":null,"trace":null,"state":null,"control":null,"spec":null,"catalog":null,"connectionStatus":null}',
        b'{"type":"RECORD","record":{"stream":"people","data":{"id":7},"emitted_at":null}}',
        b'{"type":"RECORD","record":{"stream":"people","data":{"id":7},"emitted_at":"2024-01-01"}}',
        b'{"type":"RECORD","record":{"stream":"people","data":{"id":7},"emitted_at":1e999}}',
        b'{"type":"RECORD","record":{"stream":"people","data":{"id":7}}}',
        b'{"type":"RECORD","record":{"stream":"people","data":{"id":7},"emitted_at":1},"log":"odd"}',
    ],
    ids=range(13),
)
def test_a_record_is_read_however_it_is_written(scripted: Scripted, text: bytes) -> None:
    done = rehearse(scripted(), hexed(text))
    assert done.messages == []
    assert done.rows == [{"id": 7}]


@pytest.mark.parametrize(
    "text",
    [
        RECORD[:-1],
        RECORD[:30],
        b"Loading..." + RECORD[:-1],
        RECORD + RECORD[:40],
        RECORD.replace(b"RECORD", b"record"),
        b'{"record":{"stream":"people","data":{"pad":"' + b"x" * 10_000,
        b'{"record":{"stream":"people","data":{}},"type":"REC',
        b'{"type":"RECORD","record":null}',
        b'{"type":"RECORD"}',
        b'{"type":"RECORD","record":{"stream":null,"data":{}}}',
        b'{"type":"STATE","state":null}',
        b'{"type":"STATE","state":{"type":"STREAM","stream":null}}',
        b'{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":null}}}',
        b'{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","connectorConfig":null}}',
        b'{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","connectorConfig":{"config":{"tok',
        b'{"ty',
    ],
    ids=range(16),
)
def test_a_message_that_is_lost_fails_it_and_publishes_nothing(scripted: Scripted, text: bytes) -> None:
    done = rehearse(scripted(), STARTED, some(2), COMPLETE, {"partial": text.decode()})
    assert len(done.messages) == 1
    assert "could not be read" in done.messages[0]
    assert done.destination.complete == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        b"Loading model...",
        b"{'a': 1}",
        b'{"event": "start", "state": {"a": 1}}',
        b'{"type":"NEW_THING","thing":{}}',
        b'{"type":"LOG","log":null}',
        b'{"type":"LOG","log":{"level":null,"message":null}}',
        b'{"type":"LOG","log":{"level":"INFO","message":{"a":1}}}',
        b'{"type":"TRACE","trace":null}',
        b'{"type":"TRACE","trace":{"type":"NEW","new":{}}}',
        b'{"type":"TRACE","trace":{"type":"ANALYTICS","analytics":{"type":"a","value":1}}}',
        b'{"type":"TRACE","trace":{"type":"ESTIMATE","estimate":{"name":"people","type":"STREAM","row_estimate":"1"}}}',
        b'{"type":"SPEC","spec":null}',
        b"null",
        b"[]",
        b"\x00\x00",
        b"\xff\xfe\x80\x00",
        b" ",
        b"\r",
        b"",
        b"[" * 200_000,
    ],
    ids=range(20),
)
def test_what_carries_no_data_harms_nothing(scripted: Scripted, text: bytes) -> None:
    done = rehearse(scripted(), hexed(text), STARTED, some(2), hexed(text), COMPLETE)
    assert done.messages == []
    assert len(done.rows) == 2


@pytest.mark.parametrize(
    "error",
    [
        {"message": None, "internal_message": "quota"},
        {"message": "quota", "stream_descriptor": {}},
        {"message": "quota", "stream_descriptor": {"name": None}},
        {"message": "quota", "failure_type": 7, "stack_trace": ["a", "b"]},
        {"message": {"text": "quota"}},
        "quota",
    ],
)
def test_an_error_is_heard_however_it_is_written(scripted: Scripted, error: Any) -> None:
    trace = {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": "now", "error": error}}
    done = rehearse(scripted(), STARTED, some(2), COMPLETE, {"message": trace})
    assert len(done.messages) == 1
    assert "quota" in done.messages[0]


def test_an_error_that_says_nothing_is_followed_by_its_cause(scripted: Scripted) -> None:
    empty = "Something went wrong in the connector. See the logs for more details."
    done = rehearse(scripted(), {"error": {"message": empty, "internal_message": "'count'"}}, {"exit": 1})
    assert done.messages[0].endswith("more details: 'count'")


def test_no_newline_at_the_end(scripted: Scripted) -> None:
    done = rehearse(scripted(), STARTED, some(2), COMPLETE, {"partial": RECORD.decode()})
    assert (done.messages, len(done.rows)) == ([], 3)


def test_half_a_line_then_a_kill(scripted: Scripted) -> None:
    done = rehearse(scripted(), STARTED, some(2), {"partial": RECORD[:30].decode()}, {"kill": 9})
    assert any("signal 9" in message for message in done.messages)
    assert done.destination.complete == frozenset()


# stderr


def test_a_flood_on_stderr_neither_blocks_nor_is_kept(scripted: Scripted) -> None:
    began = time.monotonic()
    done = rehearse(scripted(), {"stderr": 60_000_000}, {"say": "the end"}, {"exit": 1})
    assert time.monotonic() - began < 10
    assert done.messages[0].endswith("the end")
    assert sum(map(len, done.notes.lines)) < 25_000_000


def test_stderr_without_a_line_end(scripted: Scripted) -> None:
    done = rehearse(scripted(), {"stderr_raw": 3_000_000}, {"exit": 1})
    assert "exit code 1" in done.messages[0]
    assert len(done.messages[0]) < 20_000


# Long lines


def test_a_long_record_passes(scripted: Scripted) -> None:
    done = rehearse(scripted(), STARTED, {"long_record": ["people", 20_000_000]}, some(1), COMPLETE)
    assert (done.messages, len(done.rows)) == ([], 2)
    assert done.destination.largest > 20_000_000


def test_a_line_longer_than_is_allowed_ends_it(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LONGEST_LINE", 3 << 20)
    done = rehearse(scripted(), STARTED, some(1), {"long": 6 << 20}, "hang")
    assert done.messages == ["source-scripted 1.0.0 wrote a line of more than 3 MB and was ended"]
    assert done.destination.complete == frozenset()


# Processes that do not end, or not alone


@pytest.mark.parametrize("step", [{"orphan": 60}, {"escaped": 60}, {"pool": 2}, {"stranger": 20}])
def test_workers_that_outlive_the_source_neither_hold_it_up_nor_live_on(scripted: Scripted, step: Any) -> None:
    began = time.monotonic()
    done = rehearse(scripted(), STARTED, some(2), COMPLETE, step, {"exit": 0})
    assert time.monotonic() - began < 5
    assert (done.messages, len(done.rows)) == ([], 2)
    for orphan in re.findall(r"orphan (\d+)", "\n".join(done.notes.lines)):
        if "stranger" in step:  # it bears no mark, so nobody can find it; but neither does it hold us up
            process.signal_group(int(orphan), 9)
        assert gone(int(orphan))


def test_everything_that_the_source_wrote_is_read_though_a_worker_goes_on_writing(scripted: Scripted) -> None:
    done = rehearse(scripted(), STARTED, {"stranger": 20}, {"records": {"stream": "people"}}, COMPLETE)
    assert (done.messages, len(done.rows)) == ([], 1000)
    process.signal_group(int(re.findall(r"orphan (\d+)", "\n".join(done.notes.lines))[0]), 9)


@pytest.mark.parametrize("last", [["close_stdout", "hang"], ["ignore_sigterm", "close_stdout", "hang"]])
def test_a_source_that_closes_its_output_and_lives_on_is_ended(
    scripted: Scripted, last: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "FAREWELL", 0.2)
    done = rehearse(scripted(), STARTED, some(2), COMPLETE, *last)
    assert done.messages == []
    assert any("closed its output" in line for line in done.notes.lines)
    done = rehearse(scripted(), STARTED, some(2), *last)
    assert "closed its output, but had not ended 0 s later" in done.messages[0]


@pytest.mark.parametrize("last", ["chatter", "hang"])
def test_a_source_that_goes_on_when_everything_is_complete_is_ended(
    scripted: Scripted, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicate, "FAREWELL", 0.3)
    monkeypatch.setattr(replicate, "TICK", 0.05)
    done = rehearse(scripted(), STARTED, some(2), {"state": "people"}, COMPLETE, last)
    assert (done.messages, done.destination.complete, done.outcome.stopped) == ([], {PEOPLE}, False)
    assert any("ended it: every stream is complete" in line for line in done.notes.lines)


def test_a_drip_that_never_ends_a_line_is_silence(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "TICK", 0.05)
    done = rehearse(scripted(), STARTED, {"drip": 0.01}, source_silence=0.5)
    assert "was silent for" in done.messages[0]
    assert len(done.messages) == 1


def test_a_source_that_ignores_sigterm_ends_all_the_same(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "TICK", 0.05)
    done = rehearse(scripted(), "ignore_sigterm", STARTED, "hang", source_silence=0.5)
    assert "was silent for" in done.messages[0]
