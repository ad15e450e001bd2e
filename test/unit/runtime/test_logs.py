from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest

from resource_airbyte.runtime import logs


def line(second: int, text: str) -> str:
    return f"2026-11-21T01:40:{second:02}.000Z INFO server: {text}"


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{text}\n" for text in lines)


def test_the_last_lines_come_oldest_first(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    write(log, *(line(second, "x") for second in range(9)))
    assert list(logs.read([log], tail=2)) == [line(7, "x"), line(8, "x")]
    assert list(logs.read([log], tail=0)) == []


def test_missing_lines_come_from_the_rotated_files(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    write(tmp_path / "server.log.2", line(1, "a"), line(2, "b"))
    write(tmp_path / "server.log.1", line(3, "c"))
    write(log, line(4, "d"))
    assert [text[-1] for text in logs.read([log], tail=3)] == ["b", "c", "d"]
    assert [text[-1] for text in logs.read([log], tail=50)] == ["a", "b", "c", "d"]


def test_since_leaves_out_what_was_before_and_keeps_a_traceback_with_its_line(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    write(log, line(1, "a"), "    of a", line(3, "b"), "    of b")
    since = logs.moment(line(2, ""))
    assert list(logs.read([log], since=since)) == [line(3, "b"), "    of b"]


def test_several_logs_are_merged_by_time(tmp_path: Path) -> None:
    write(tmp_path / "server.log", line(1, "a"), line(3, "c"))
    write(tmp_path / "worker.log", line(2, "b"), line(4, "d"))
    paths = [tmp_path / "server.log", tmp_path / "worker.log"]
    assert [text[-1] for text in logs.read(paths, tail=3)] == ["b", "c", "d"]


def test_no_log_is_no_lines(tmp_path: Path) -> None:
    assert list(logs.read([tmp_path / "server.log"])) == []


def test_following_goes_on_through_a_rotation_without_losing_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "server.log"
    write(log, line(1, "a"))
    steps = iter(
        [
            lambda: write(log, line(2, "b")),
            lambda: (write(log, line(3, "c")), log.rename(tmp_path / "server.log.1"), write(log, line(4, "d"))),
            lambda: write(log, line(5, "e")),
        ]
    )
    monkeypatch.setattr(logs.time, "sleep", lambda _: next(steps)())
    with contextlib.closing(logs.read([log], follow=True)) as lines:
        seen = list(itertools.islice(lines, 5))
    assert [text[-1] for text in seen] == ["a", "b", "c", "d", "e"]


def test_following_waits_for_a_log_that_is_not_there_yet_and_for_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "server.log"
    parts = iter([line(1, "half"), " and half\n"])

    def append(_: float) -> None:
        with log.open("a") as file:
            file.write(next(parts))

    monkeypatch.setattr(logs.time, "sleep", append)
    with contextlib.closing(logs.read([log], follow=True)) as lines:
        assert next(lines) == line(1, "half and half")
