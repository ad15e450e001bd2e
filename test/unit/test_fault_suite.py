"""The fault suite itself: a seed is always the same run; its judge sees what is lost, doubled, or kept too early."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from judge import Journal, Judge, Wrong
from scenario import Scenario, Stream, drawn

PLACES = ("sqlite", "duckdb", "files")
HALF, LAST = "0.4", "0.7"


def targets(destination: str) -> dict[str, int]:
    return {"attempt": 2, "runner": 1}


def scenario(sync: str = "incremental", mode: str = "append", *, statuses: bool = True) -> Scenario:
    stream = Stream("a", 4, 0, sync, mode, False)
    return Scenario(1, "sqlite", (stream,), {"statuses": statuses, "state": "stream"}, (), None, {})


def reading(start: str | None = None, first: int = 1, turn: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Four records from `first` on, with a state after every second one."""
    lines: list[dict[str, Any]] = [{"start": {"a": start}}, {"status": ["a", "STARTED"]}]
    for number in (first, first + 2):
        lines += [{"record": ["a", number]}, {"record": ["a", number + 1]}]
        lines.append({"state": ["a"], "token": f"{turn}.{len(lines)}"})
    return [*lines, {"status": ["a", "COMPLETE"]}, {"end": 0}]


def judge(place: Path, made: Scenario, *readings: list[dict[str, Any]]) -> Judge:
    for turn, lines in enumerate(readings):
        (place / f"{turn}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Judge(made, Journal(place))


def test_a_seed_is_always_the_same_run() -> None:
    assert [str(drawn(seed, targets, PLACES)) for seed in range(50)] == [
        str(drawn(seed, targets, PLACES)) for seed in range(50)
    ]
    assert len({str(drawn(seed, targets, PLACES)) for seed in range(50)}) > 45


def test_files_are_not_asked_to_deduplicate() -> None:
    made = [drawn(seed, targets, ["files"]) for seed in range(100)]
    assert not any(stream.dedups for each in made for stream in each.streams)


@pytest.mark.parametrize("rows", [[1, 2, 3], [1, 2, 3, 4, 4], [1, 2, 3, 4, 5], []])
def test_rows_that_are_missing_or_too_many_are_seen(rows: list[int], tmp_path: Path) -> None:
    made = judge(tmp_path, scenario(), reading())
    with pytest.raises(Wrong):
        made.succeeded("sync", 0, {"a": Counter(rows)}, {"a": LAST}, {"a": 4})
    made.succeeded("sync", 0, {"a": Counter([1, 2, 3, 4])}, {"a": LAST}, {"a": 4})


def test_what_an_attempt_went_on_from_counts_once(tmp_path: Path) -> None:
    first = [*reading()[:6], {"fault": {"do": "die"}}]  # the third record came, and no state after it
    made = judge(tmp_path, scenario(), first, reading(HALF, first=3, turn=1))
    with pytest.raises(Wrong, match="too many 3"):
        made.succeeded("sync", 0, {"a": Counter([1, 2, 3, 3, 4, 5, 6])}, {"a": "1.7"}, {"a": 6})
    made.succeeded("sync", 0, {"a": Counter([1, 2, 3, 4, 5, 6])}, {"a": "1.7"}, {"a": 6})


def test_a_failed_sync_keeps_what_its_last_state_covers_and_nothing_else(tmp_path: Path) -> None:
    made = judge(tmp_path, scenario(), [*reading()[:6], {"end": 1}])
    for rows in ([], [1, 2, 3]):
        with pytest.raises(Wrong):
            made.failed("sync", 0, {"a": Counter(rows)}, {"a": HALF}, exact=True)
    made.failed("sync", 0, {"a": Counter([1, 2])}, {"a": HALF}, exact=True)


def test_a_failed_replacement_leaves_the_old_table(tmp_path: Path) -> None:
    made = judge(tmp_path, scenario("full_refresh", "overwrite"), [*reading()[:6], {"end": 1}])
    with pytest.raises(Wrong):
        made.failed("sync", 0, {"a": Counter([1, 2])}, {"a": HALF}, exact=True)
    made.failed("sync", 0, {"a": Counter()}, {"a": HALF}, exact=True)


def test_a_success_without_a_record_that_was_garbled_is_seen(tmp_path: Path) -> None:
    lines = [line if line != {"record": ["a", 2]} else {"lost": ["a", 2]} for line in reading()]
    made = judge(tmp_path, scenario(), lines)
    with pytest.raises(Wrong, match="never taken: 2"):
        made.succeeded("sync", 0, {"a": Counter([1, 3, 4])}, {"a": LAST}, {"a": 4})


def test_half_a_table_that_is_being_replaced_is_seen(tmp_path: Path) -> None:
    made = judge(tmp_path, scenario("full_refresh", "overwrite"), reading())
    whole = {"a": Counter([1, 2, 3, 4])}
    with pytest.raises(Wrong, match="could be seen"):
        made.between("sync", 0, {"a": [Counter([1, 2])]}, whole)
    made.between("sync", 0, {"a": [Counter(), whole["a"]]}, whole)


def test_a_stored_state_of_an_earlier_job_covers_nothing_of_a_reading_from_the_beginning(tmp_path: Path) -> None:
    cancelled: list[dict[str, Any]] = [{"start": {"a": None}}, {"status": ["a", "STARTED"]}, {"end": 1}]
    made = judge(tmp_path, scenario("full_refresh", "append"), reading())
    rows, shared = {"a": Counter([1, 2, 3, 4])}, {"a": LAST}
    made.succeeded("sync", 0, rows, shared, {"a": 4})
    judge(tmp_path, scenario(), reading(), cancelled)
    with pytest.raises(Wrong):
        made.failed("sync", 1, {"a": rows["a"] + rows["a"]}, shared, exact=False)
    made.failed("sync", 1, rows, shared, exact=False)
