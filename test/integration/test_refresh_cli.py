"""Refreshing, clearing and states from the command line, against a real daemon."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from jobs_bench import SCRIPTED

from resource_airbyte.cli.app import main
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings

FIELDS = {"id": "integer", "name": "string"}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run one command line in a directory of its own; its exit code, and what it printed."""
    monkeypatch.setenv("AIRBYTE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def go(*words: str) -> tuple[int, str, str]:
        code = main(["content", *words])
        out, err = capsys.readouterr()
        return code, out, err

    yield go
    Embedded(Settings.load({"data_dir": str(tmp_path / "data")})).stop(force=True)


def pipeline(place: Path, records: int = 6) -> Path:
    streams = [{"name": name, "records": records, "fields": FIELDS, "cursor": "id"} for name in ("users", "items")]
    body = {
        "name": "orders",
        "source": {"name": "shop", "connector": str(SCRIPTED), "config": {"streams": streams}},
        "destination": {
            "name": "warehouse",
            "connector": "destination-duckdb",
            "config": {"destination_path": str(place / "w.duckdb")},
        },
        "sync": {
            "streams": [
                {"name": name, "sync_mode": "incremental", "destination_sync_mode": "append"}
                for name in ("users", "items")
            ]
        },
    }
    file = place / "pipeline.json"
    file.write_text(json.dumps(body))
    return file


def count(place: Path, table: str) -> int:
    with duckdb.connect(str(place / "w.duckdb"), read_only=True) as database:
        found: Any = database.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found[0])


@pytest.mark.slow
def test_the_way_of_a_connection_through_refresh_clear_and_states(run: Run, tmp_path: Path) -> None:
    file = pipeline(tmp_path)
    code, out, err = run("execute", "--config", str(file))
    assert code == 0, err
    state = tmp_path / "state.yaml"
    assert run("state", "get", "--name", "orders", "--file", str(state))[0] == 0

    code, out, _ = run("clear", "--name", "orders", "--stream", "users", "--dry-run", "--format", "json")
    (effect,) = json.loads(out)["streams"]
    assert (code, effect["stream"], effect["rows"], effect["state"]) == (0, "users", 6, {"position": 6})
    code, _, err = run("clear", "--name", "orders", "--stream", "users")
    assert (code, "--force" in err) == (1, True)
    assert count(tmp_path, "users") == 6
    code, out, err = run("clear", "--name", "orders", "--stream", "users", "--force")
    assert (code, "emptied" in out) == (0, True), err
    assert (count(tmp_path, "users"), count(tmp_path, "items")) == (0, 6)
    assert run("clear", "--name", "nothing", "--force")[0] == 2

    code, out, err = run("refresh", "--name", "orders", "--stream", "items", "--mode", "merge")
    assert (code, count(tmp_path, "items")) == (0, 12), err
    before = run("state", "get", "--name", "orders")[1]
    code, out, _ = run("add", "--file", str(file))  # what is done by hand is not undone by the file
    assert code == 2, out
    assert run("state", "get", "--name", "orders")[1] == before

    code, out, _ = run("state", "set", "--name", "orders", "--stream", "users", "--file", str(state))
    assert (code, "+    name: users" in out) == (0, True)
    code, out, _ = run("state", "history", "--name", "orders", "--format", "json")
    points = json.loads(out)["points"]
    assert [each["cause"] for each in points] == ["set", "clear", "sync"]
    code, _, err = run("state", "restore", "--name", "orders", "--point", str(points[2]["point"]), "--dry-run")
    assert (code, "has cleared users since" in err) == (0, True)
    code, out, _ = run("state", "restore", "--name", "orders", "--point", str(points[1]["point"]))
    assert (code, "-    name: users" in out) == (0, True)
