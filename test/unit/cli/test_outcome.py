"""How the end of a job is shown."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from resource_airbyte.cli.content import options, outcome, progress
from resource_airbyte.client import Endpoint
from resource_airbyte.client.api import Airbyte
from resource_airbyte.errors import UsageError
from resource_airbyte.model.connections import TablePreview
from resource_airbyte.model.jobs import JobInfoRead


def attempt(number: int, status: str, **streams: tuple[int, int | None]) -> dict[str, Any]:
    stats = [
        {
            "streamName": name,
            "stats": {"recordsEmitted": read, "bytesEmitted": read * 10, "recordsCommitted": committed},
        }
        for name, (read, committed) in streams.items()
    ]
    failure = {
        "failureOrigin": "source",
        "failureType": "config_error",
        "externalMessage": "no such table",
        "timestamp": 1,
    }
    summary = {"failureSummary": {"failures": [failure]}} if status == "failed" else {}
    times = {"createdAt": 1, "updatedAt": 1}
    return {"attempt": {"id": number, "status": status, **times, "streamStats": stats, **summary}}


def job(status: str, *attempts: dict[str, Any]) -> dict[str, Any]:
    head = {"id": 7, "configType": "sync", "configId": "c", "createdAt": 1, "updatedAt": 1, "status": status}
    return {"job": head, "attempts": list(attempts)}


def outcomes(body: dict[str, Any]) -> list[outcome.StreamOutcome]:
    return outcome.streams(JobInfoRead.model_validate(body), None, progress.Watched(seconds=2.0))


def test_a_count_that_the_destination_does_not_give_is_unknown_and_never_equal() -> None:
    found = outcomes(job("succeeded", attempt(0, "succeeded", users=(10, None), items=(5, 5))))
    assert [(each.stream, each.committed, each.state) for each in found] == [
        ("users", None, "synced, commit unknown"),
        ("items", 5, "synced"),
    ]
    shown = outcome.table(found, progress.Watched(seconds=2.0)).rows
    assert [row[2] for row in shown] == ["unknown", 5, "unknown"]


def test_attempts_add_up() -> None:
    found = outcomes(job("succeeded", attempt(0, "failed", users=(10, 4)), attempt(1, "succeeded", users=(6, 6))))
    assert (found[0].records, found[0].committed, found[0].bytes) == (16, 10, 160)


def test_a_source_that_counted_more_than_it_sent_is_warned_of() -> None:
    made = attempt(0, "succeeded", users=(5, 5), items=(2, 2))
    made["attempt"]["streamStats"][0]["stats"]["additionalStats"] = {"seconds": 1.5, "claimed": 8}
    told = outcome.warnings(JobInfoRead.model_validate(job("succeeded", made)))
    assert told == ["stream users: the source counted 8 records, but sent 5"]


def test_the_reason_of_the_last_attempt_names_whose_fault_it_was() -> None:
    info = JobInfoRead.model_validate(job("failed", attempt(0, "failed", users=(1, 0))))
    told = [progress.failure_line(each) for each in outcome.failures(info)]
    assert told == ["source (config_error): no such table"]


@pytest.mark.parametrize("end", ["succeeded", "failed"])  # why the last one failed is told with the outcome
def test_watching_tells_of_each_failed_attempt_once_and_ends_with_the_job(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOOK", 0.0)
    answers = [
        job("pending"),
        job("running", attempt(0, "running")),
        job("incomplete", attempt(0, "failed", users=(3, 0))),
        job("running", attempt(0, "failed", users=(3, 0)), attempt(1, "running", users=(1, 0))),
        job(end, attempt(0, "failed", users=(3, 0)), attempt(1, end, users=(5, 5))),
    ]
    told: list[str] = []

    class View(progress.Quiet):
        def event(self, sentence: str) -> None:
            told.append(sentence)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answers.pop(0)))
    client = Airbyte(Endpoint("http://localhost/api"), transport=transport)
    info, watched = progress.watch(client, 7, View(), None)
    assert info.job.status == end
    assert watched.streams[(None, "users")].records == 8
    assert told == [
        "attempt 1 failed; trying again: source (config_error): no such table",
        "attempt 2 has begun",
    ]


def test_waiting_ends_at_its_time_and_the_job_goes_on() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=job("running")))
    client = Airbyte(Endpoint("http://localhost/api"), transport=transport)
    assert progress.watch(client, 7, progress.Quiet(), 0.01)[1].timed_out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], options.Options()),
        (["streams=a,b", "refresh=true"], options.Options(("a", "b"), "truncate")),
        (["streams=a refresh=merge;timeout=2.5"], options.Options(("a",), "merge", 2.5)),
        (["refresh=false"], options.Options()),
    ],
)
def test_options_are_read(words: list[str], expected: options.Options) -> None:
    assert options.parse(words) == expected


@pytest.mark.parametrize("words", ["x=1", "streams", "streams=", "refresh=maybe", "timeout=-1", "streams=a streams=b"])
def test_options_that_are_not_known_are_refused(words: str) -> None:
    with pytest.raises(UsageError):
        options.parse([words])


def test_an_attempt_that_a_stop_ended_has_not_failed_and_nothing_is_tried_again() -> None:
    stopped = attempt(0, "failed")
    stopped["attempt"]["failureSummary"]["failures"][0].update(
        failureOrigin="airbyte_platform", externalMessage="Airbyte was stopped; the next start goes on"
    )
    said: list[str] = []

    class Heard(progress.Quiet):
        def event(self, sentence: str) -> None:
            said.append(sentence)

    progress._Told(Heard()).tell(JobInfoRead.model_validate(job("incomplete", stopped)))
    assert len(said) == 1
    assert said[0].startswith("attempt 1 was ended: ")
    assert "trying again" not in said[0]


@pytest.mark.parametrize(
    ("words", "streams"),
    [
        (["streams=my stream,other"], ("my stream", "other")),
        (["streams=my stream, other timeout=5"], ("my stream", "other")),
        (["timeout=5;streams=a b;refresh=merge"], ("a b",)),
        (["streams=a,b", "timeout=5"], ("a", "b")),
    ],
)
def test_a_stream_may_have_blanks_in_its_name(words: list[str], streams: tuple[str, ...]) -> None:
    assert options.parse(words).streams == streams


def test_a_time_that_is_shown_as_none_gives_no_rate() -> None:
    quick = outcome.StreamOutcome("orders", 1000, 1000, 1, 0.001, "synced")
    slow = outcome.StreamOutcome("orders", 1000, 1000, 1, 0.1, "synced")
    assert (quick.rate, slow.rate) == (None, 10_000)


def test_of_very_many_tables_the_first_are_shown_and_the_others_counted() -> None:
    tables = [
        TablePreview(stream_name=f"s{number}", table=f"main.s{number}", columns=["id"], rows=[[1]], row_count=1)
        for number in range(1000)
    ]
    shown = [block for block in outcome.preview(tables, None) if isinstance(block, str) and block]
    assert shown[0].startswith("s0: 1 row")
    assert shown[-1] == "… and 990 more tables"
    assert len(shown) == 11
