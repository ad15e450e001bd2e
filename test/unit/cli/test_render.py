"""What a person and what a program sees of a result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from resource_airbyte import process
from resource_airbyte.cli import table, words
from resource_airbyte.cli.render import render
from resource_airbyte.cli.result import Result, Table
from resource_airbyte.errors import UsageError

RESULT = Result({"a": [1, "ä"]}, "one line", messages=("said",), hint="next", code=2)


def test_text_is_on_stdout_and_what_is_said_about_it_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert render(RESULT, "text") == 2
    assert capsys.readouterr() == ("one line\n", "said\nhint: next\n")


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_program_gets_the_data_and_nothing_else(capsys: pytest.CaptureFixture[str], form: str, read: object) -> None:
    assert render(RESULT, form) == 2
    out, err = capsys.readouterr()
    assert read(out) == RESULT.data  # type: ignore[operator]
    assert err == ""


def test_a_table_is_as_wide_as_it_must_be() -> None:
    shown = list(table.lines(Table(("name", "count"), [("a", 1200), ("世界", None)])))
    assert shown == ["NAME  COUNT", "a     1,200", "世界"]


def test_a_table_fits_into_a_terminal() -> None:
    shown = list(table.lines(Table(("name", "text"), [("short", "x" * 200)]), width=40))
    assert max(map(len, shown)) == 40
    assert shown[1].endswith("…")


def test_control_characters_of_foreign_data_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    render(Result(text=[Table(("x",), [("\x1b[2J\x07",)]), "\x1b[31mred"]), "text")
    assert "\x1b" not in capsys.readouterr().out


def test_nothing_is_coloured_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    render(Result(text=Table(("x",), [(1,)])), "text")
    assert "\x1b" not in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = "from resource_airbyte.cli.render import render; from resource_airbyte.cli.result import Result\n"
    script += "import sys; sys.exit(render(Result(text=('x' * 100 for _ in range(100000))), 'text'))"
    reading, writing = os.pipe()
    child = subprocess.Popen([sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    assert child.communicate(timeout=20)[1] == b""
    assert child.returncode == 0


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (613, "613 B"), (1400, "1.4 kB"), (150_000_000, "150 MB"), (2.5e12, "2.5 TB")]
)
def test_sizes_are_short(count: float, text: str) -> None:
    assert words.size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (185, "3 min"), (18720, "5 h 12 min"), (864000, "10 days")])
def test_spans_are_short(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


def test_a_moment_is_a_span_ago_or_a_time() -> None:
    assert words.moment("10m") == pytest.approx(time.time() - 600, abs=2)
    assert words.moment("2026-11-21T00:00:00+00:00") == 1795219200
    with pytest.raises(UsageError):
        words.moment("soon")


def test_an_output_that_cannot_be_written_is_said_plainly() -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("needs the device that is always full")
    with open("/dev/full", "w") as full:
        command = process.python("resource_airbyte", "help")
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=process.own_environment(), check=False)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["error: the output could not be written: No space left on device"]
