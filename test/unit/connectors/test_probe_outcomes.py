"""Everything that a connector can do to a question, tried with the scripted one."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rehearsal import gone

from resource_airbyte import process
from resource_airbyte.engine.connectors import probe
from resource_airbyte.engine.connectors.children import listen
from resource_airbyte.engine.connectors.launch import Launch
from resource_airbyte.engine.connectors.probe import Ears
from resource_airbyte.errors import ConnectorCrashed, ConnectorFailed, ConnectorTimeout
from resource_airbyte.model.mask import MASK
from resource_airbyte.protocol import messages

pytestmark = pytest.mark.slow  # each runs a process of its own
Scripted = Callable[..., Launch]
Steps = Callable[..., dict[str, Any]]
ENOUGH = 20.0


def test_spec_is_the_payload_of_its_message(scripted: Scripted) -> None:
    assert probe.spec(scripted(), ENOUGH).payload["connectionSpecification"]["title"] == "Scripted"


def test_discover_is_the_payload_of_its_message(scripted: Scripted) -> None:
    answer = probe.discover(scripted(), {"streams": [{"name": "users"}]}, ENOUGH)
    assert [stream["name"] for stream in answer.payload["streams"]] == ["users"]


def test_a_check_that_succeeds(scripted: Scripted) -> None:
    assert probe.check(scripted(), {}, ENOUGH).payload == {"status": "SUCCEEDED"}


def status(word: str, message: str) -> dict[str, Any]:
    return {"message": {"type": "CONNECTION_STATUS", "connectionStatus": {"status": word, "message": message}}}


def test_a_failed_check_is_an_answer(scripted: Scripted, steps: Steps) -> None:
    answer = probe.check(scripted(), steps("check", status("FAILED", "wrong password")), ENOUGH)
    assert answer.payload == {"status": "FAILED", "message": "wrong password"}


def test_a_failed_check_is_an_answer_also_beside_an_error_trace_and_with_an_exit_code(
    scripted: Scripted, steps: Steps
) -> None:
    config = steps("check", {"error": "it broke"}, status("FAILED", "no such host"), {"exit": 1})
    assert probe.check(scripted(), config, ENOUGH).payload["message"] == "no such host"


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("style", ["compact", "spaced"])
def test_an_error_trace_is_a_failure_whatever_the_exit_code(
    scripted: Scripted, steps: Steps, code: int, style: str
) -> None:
    error = {"message": "Bad key", "failure_type": "config_error", "internal_message": "401", "stream": "users"}
    config = steps("discover", {"style": style}, {"error": error}, {"exit": code})
    with pytest.raises(ConnectorFailed) as caught:
        probe.discover(scripted(), config, ENOUGH)
    assert caught.value.message == "source-scripted 1.0.0 reports: Bad key"
    assert caught.value.failure_type == "config_error"
    assert caught.value.details == {"internal_message": "401", "stream": "users"}
    assert caught.value.origin == "source"


def test_what_is_wrong_with_a_specification_is_not_the_configuration() -> None:
    trace = '{"type":"TRACE","trace":{"type":"ERROR","error":{"message":"no","failure_type":"config_error"}}}'
    launch = Launch((sys.executable, "-c", f"print({trace!r})"), process.environment())
    with pytest.raises(ConnectorFailed) as caught:
        probe.spec(launch, ENOUGH)
    assert caught.value.hint == "Correct the connector and try again."


def test_a_message_that_says_nothing_is_followed_by_what_the_connector_knows(scripted: Scripted, steps: Steps) -> None:
    error = {"message": messages.SAYS_NOTHING, "internal_message": "'count'"}
    with pytest.raises(ConnectorFailed, match=r"went wrong in the connector\. .*: 'count'$"):
        probe.discover(scripted(), steps("discover", {"error": error}), ENOUGH)


def test_an_error_trace_counts_more_than_an_answer_beside_it(scripted: Scripted, steps: Steps) -> None:
    with pytest.raises(ConnectorFailed, match="half of it is missing"):
        probe.discover(scripted(), steps("discover", "answer", {"error": "half of it is missing"}), ENOUGH)


def test_a_crash_ends_with_what_it_wrote_on_stderr(scripted: Scripted, steps: Steps) -> None:
    with pytest.raises(ConnectorCrashed) as caught:
        probe.check(scripted(), steps("check", {"crash": "the disk caught fire"}), ENOUGH)
    assert "crashed during check (exit code 1)" in caught.value.message
    assert caught.value.message.endswith("RuntimeError: the disk caught fire")


def test_a_killed_connector_names_the_signal(scripted: Scripted, steps: Steps) -> None:
    with pytest.raises(ConnectorCrashed, match="signal 9, perhaps for want of memory"):
        probe.check(scripted(), steps("check", {"kill": 9}), ENOUGH)


def test_an_end_without_an_answer_is_a_crash(scripted: Scripted, steps: Steps) -> None:
    with pytest.raises(ConnectorCrashed, match="ended without an answer to check"):
        probe.check(scripted(), steps("check", {"exit": 0}), ENOUGH)


def test_the_last_complaint_is_shown_where_stderr_is_empty(scripted: Scripted, steps: Steps) -> None:
    with pytest.raises(ConnectorCrashed, match="cannot find the sheet"):
        probe.check(scripted(), steps("check", {"log": ["FATAL", "cannot find the sheet"]}, {"exit": 1}), ENOUGH)


def test_logs_before_the_answer_are_heard_and_do_not_hide_it(scripted: Scripted, steps: Steps) -> None:
    heard: list[tuple[str, str]] = []
    ears = Ears(log=lambda level, text: heard.append((level, text)))
    config = steps("check", {"log": "one"}, {"log": ["WARN", "two"]}, "answer")
    assert probe.check(scripted(), config, ENOUGH, ears=ears).payload["status"] == "SUCCEEDED"
    assert heard == [("INFO", "one"), ("WARN", "two")]


def test_garbage_around_the_answer_is_told_and_passed_over(scripted: Scripted, steps: Steps) -> None:
    heard: list[str] = []
    ears = Ears(log=lambda _, text: heard.append(text))
    config = steps("check", {"garbage": "Loading…"}, {"bytes": "00fffe7b"}, {"message": {"a": 1}}, "answer")
    assert probe.check(scripted(), config, ENOUGH, ears=ears).payload["status"] == "SUCCEEDED"
    assert len(heard) == 3
    assert "what is not the protocol: Loading…" in heard[0]


def test_nothing_but_garbage_is_a_crash_with_a_sample(scripted: Scripted, steps: Steps) -> None:
    with pytest.raises(ConnectorCrashed) as caught:
        probe.check(scripted(), steps("check", *[{"garbage": f"line {n}"} for n in range(1000)]), ENOUGH)
    assert "1000 lines that are not the protocol, the first: line 0" in caught.value.message
    assert caught.value.details["foreign_lines"] == 1000
    assert len(caught.value.details["samples"]) == 3


@pytest.mark.parametrize(
    "message",
    [
        {"type": "SPEC"},
        {"type": "SPEC", "spec": []},
        {"type": "SPEC", "spec": {}},
        {"type": "SPEC", "spec": {"connectionSpecification": "text"}},
    ],
)
def test_an_answer_without_its_content_is_no_answer(scripted: Scripted, message: dict[str, Any]) -> None:
    with pytest.raises(ConnectorCrashed, match="not the protocol"):
        probe.spec(scripted(spec=[{"message": message}]), ENOUGH)


def test_an_answer_without_a_line_end_counts(scripted: Scripted, steps: Steps) -> None:
    text = '{"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}'
    assert probe.check(scripted(), steps("check", {"partial": text}), ENOUGH).payload["status"] == "SUCCEEDED"


def test_a_hang_ends_at_the_deadline_and_names_the_setting(scripted: Scripted, steps: Steps) -> None:
    config = steps("check", "ignore_sigterm", {"log": "hanging"}, "hang")
    started = time.monotonic()
    with pytest.raises(ConnectorTimeout) as caught:
        probe.check(scripted(), config, 1.0)
    assert 1.0 <= time.monotonic() - started < 4.0
    assert "did not answer check within 1 s" in caught.value.message
    assert "AIRBYTE_CHECK_TIMEOUT" in str(caught.value.hint)


def test_an_error_trace_before_a_hang_is_the_failure(scripted: Scripted, steps: Steps) -> None:
    with pytest.raises(ConnectorFailed, match="no route"):
        probe.check(scripted(), steps("check", {"error": "no route"}, "hang"), 1.0)


def test_who_waits_hears_that_it_still_tries(scripted: Scripted, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TICK", 0.2)
    heard: list[str] = []
    with pytest.raises(ConnectorTimeout):
        probe.check(scripted(), steps("check", "hang"), 1.0, ears=Ears(waiting=heard.append))
    assert 1 <= len(heard) <= 5  # a busy machine may let it sleep over some
    assert heard[0] == "source-scripted 1.0.0 check: still trying (0 s of at most 1 s)"


def test_an_answer_counts_when_the_connector_does_not_end_by_itself(
    scripted: Scripted, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "FAREWELL", 0.2)
    heard: list[str] = []
    ears = Ears(log=lambda _, text: heard.append(text))
    assert probe.check(scripted(), steps("check", "answer", "hang"), ENOUGH, ears=ears).payload["status"] == "SUCCEEDED"
    assert heard == ["source-scripted 1.0.0 answered check, then had to be ended"]


def test_an_answer_counts_in_spite_of_an_exit_code_which_is_logged(scripted: Scripted, steps: Steps) -> None:
    heard: list[str] = []
    ears = Ears(log=lambda _, text: heard.append(text))
    probe.discover(scripted(), steps("discover", "answer", {"exit": 3}), ENOUGH, ears=ears)
    assert heard == ["source-scripted 1.0.0 answered discover, then ended with exit code 3"]


def test_a_flood_on_stderr_neither_blocks_nor_is_kept(scripted: Scripted, steps: Steps) -> None:
    config = steps("check", {"stderr": 20_000_000}, {"say": "the end"}, {"exit": 1})
    with pytest.raises(ConnectorCrashed) as caught:
        probe.check(scripted(), config, ENOUGH)
    assert caught.value.message.endswith("the end")
    assert len(caught.value.message) < 3000


@pytest.mark.parametrize("step", [{"orphan": 60}, {"escaped": 60}, {"pool": 2}, {"stranger": 20}])
def test_workers_that_outlive_the_connector_neither_keep_us_waiting_nor_live_on(
    scripted: Scripted, steps: Steps, step: dict[str, int]
) -> None:
    heard: list[str] = []
    ears = Ears(log=lambda _, text: heard.append(text))
    launch = scripted()
    launch = replace(launch, env={**launch.env, process.MARK: f"probe-of-a-test-{id(heard):x}."})
    started = time.monotonic()
    probe.check(launch, steps("check", step, "answer", {"exit": 0}), ENOUGH, ears=ears)
    assert time.monotonic() - started < 7
    for orphan in re.findall(r"orphan (\d+)", "\n".join(heard)):
        if "stranger" in step:  # it bears no mark, so nobody can find it; but neither does it hold us up for ever
            process.signal_group(int(orphan), 9)
        assert gone(int(orphan))


@pytest.mark.parametrize("last", [["close_stdout", "hang"], ["chatter"], [{"drip": 0.01}]])
def test_whoever_lives_on_after_its_answer_is_ended(
    scripted: Scripted, steps: Steps, last: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "FAREWELL", 0.3)
    started = time.monotonic()
    assert probe.check(scripted(), steps("check", "ignore_sigterm", "answer", *last), ENOUGH).payload["status"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("last", [["close_stdout", "hang"], ["chatter"], [{"drip": 0.01}]])
def test_whoever_says_much_and_never_answers_ends_at_the_deadline(
    scripted: Scripted, steps: Steps, last: list[Any]
) -> None:
    with pytest.raises(ConnectorTimeout):
        probe.check(scripted(), steps("check", *last), 0.5)


SUCCEEDED = b'{"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}'


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + SUCCEEDED,
        SUCCEEDED + b"\r",
        b"\x00\x00" + SUCCEEDED,
        b'{"connectionStatus":{"status":"SUCCEEDED","message":null,"new":1},"new":{},"type":"CONNECTION_STATUS"}',
        b'{"type":"LOG","type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"},"log":null,"spec":null}',
        b'{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED","message":{"a":NaN}},"log":"odd"}',
        b'{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED","message":"caf\xe9"}}',
    ],
    ids=range(7),
)
def test_an_answer_is_heard_however_it_is_written(scripted: Scripted, steps: Steps, text: bytes) -> None:
    assert probe.check(scripted(), steps("check", {"bytes": text.hex()}), ENOUGH).payload["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "error",
    [
        {"message": None, "internal_message": "quota"},
        {"message": "quota", "stream_descriptor": {"name": None}},
        {"message": {"text": "quota"}, "failure_type": 7},
        "quota",
    ],
)
def test_an_error_is_heard_however_it_is_written(scripted: Scripted, steps: Steps, error: Any) -> None:
    trace = {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": "now", "error": error}}
    with pytest.raises(ConnectorFailed, match="quota"):
        probe.check(scripted(), steps("check", "answer", {"message": trace}), ENOUGH)


def test_an_error_without_any_word_is_an_error(scripted: Scripted, steps: Steps) -> None:
    trace = {"type": "TRACE", "trace": {"type": "ERROR", "error": None}}
    with pytest.raises(ConnectorFailed, match="no message"):
        probe.check(scripted(), steps("check", "answer", {"message": trace}), ENOUGH)


def test_a_line_without_end_is_refused(scripted: Scripted, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen.Lines.__init__, "__defaults__", (1 << 20,))
    with pytest.raises(ConnectorCrashed, match="wrote a line of more than 1 MB and was ended"):
        probe.check(scripted(), steps("check", {"long": 2 << 20}, "hang"), ENOUGH)


def test_a_long_line_of_an_allowed_length_is_read(scripted: Scripted, steps: Steps) -> None:
    assert probe.check(scripted(), steps("check", {"long": 5_000_000}, "answer"), ENOUGH).payload["status"]


def test_new_configurations_are_kept_at_once_and_returned_in_order(scripted: Scripted, steps: Steps) -> None:
    kept: list[dict[str, Any]] = []
    config = steps("check", {"control": {"token": "one"}}, {"control": {"token": "two"}}, "answer")
    answer = probe.check(scripted(), config, ENOUGH, ears=Ears(keep=kept.append))
    assert kept == list(answer.configurations) == [{"token": "one"}, {"token": "two"}]


def test_a_new_configuration_is_kept_even_when_the_connector_fails_after_it(scripted: Scripted, steps: Steps) -> None:
    kept: list[dict[str, Any]] = []
    config = steps("check", {"control": {"token": "one"}}, {"exit": 1})
    with pytest.raises(ConnectorCrashed):
        probe.check(scripted(), config, ENOUGH, ears=Ears(keep=kept.append))
    assert kept == [{"token": "one"}]


def test_secrets_are_masked_in_everything_that_it_says(scripted: Scripted, steps: Steps) -> None:
    heard: list[str] = []
    ears = Ears(log=lambda _, text: heard.append(text))
    said = "GET ?key=hunter2222"
    config = steps("check", {"log": said}, {"garbage": said}, {"say": said}, {"exit": 1}, password="hunter2222")
    with pytest.raises(ConnectorCrashed) as caught:
        probe.check(scripted(), config, ENOUGH, ears=ears)
    everything = " ".join([*heard, caught.value.message, str(caught.value.details)])
    assert "hunter2222" not in everything
    assert everything.count(MASK) >= 4


def test_secrets_are_masked_in_an_error_trace_and_in_a_failed_check(scripted: Scripted, steps: Steps) -> None:
    said = "no such key hunter2222"
    error = {"message": said, "internal_message": said, "stack_trace": said}
    with pytest.raises(ConnectorFailed) as caught:
        probe.check(scripted(), steps("check", {"error": error}, password="hunter2222"), ENOUGH)
    answer = probe.check(scripted(), steps("check", status("FAILED", said), password="hunter2222"), ENOUGH)
    assert "hunter2222" not in f"{caught.value.message} {caught.value.details} {answer.payload}"


def test_the_configuration_is_in_no_argument_and_no_variable(scripted: Scripted, steps: Steps) -> None:
    seen = {}
    real = process.start

    def start(argv: Any, **options: Any) -> process.Child:
        seen.update(argv=argv, env=options["env"])
        return real(argv, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "start", start)
        probe.check(scripted(), steps("check", "answer", password="hunter2222"), ENOUGH)
    assert "hunter2222" not in str(seen)


def test_where_there_are_no_memory_files_a_private_file_serves_and_is_removed(
    scripted: Scripted, steps: Steps, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert probe.check(scripted(), steps("check", status("FAILED", "read")), ENOUGH).payload["message"] == "read"
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_not_there_is_a_clear_failure(scripted: Scripted) -> None:
    with pytest.raises(ConnectorCrashed, match=r"cannot be started \(No such file or directory: /nowhere\)"):
        probe.spec(replace(scripted(), argv=("/nowhere",)), ENOUGH)


def test_a_preview_is_one_line_with_tables(scripted: Scripted) -> None:
    program = (
        "import json, sys; verb, *words = sys.argv[1:]; given = dict(zip(words[::2], words[1::2]));"
        "catalog = json.load(open(given['--catalog'])); "
        "tables = [verb, json.load(open(given['--config'])), catalog, given['--limit']];"
        "print(json.dumps({'type': 'PREVIEW', 'preview': {'tables': tables}}))"
    )
    launch = replace(scripted(), argv=(scripted().argv[0], "-c", program))
    answer = probe.preview(launch, {"path": "x"}, {"catalog": {"streams": []}, "limit": 3}, ENOUGH)
    assert answer.payload == {"tables": ["preview", {"path": "x"}, {"streams": []}, "3"]}
