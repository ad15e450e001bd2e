"""What a process of the stack says when it cannot start: one line, and the way out; whoever started it tries again."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from resource_airbyte.engine import wiring
from resource_airbyte.engine.main import program
from resource_airbyte.engine.secrets import Box
from resource_airbyte.errors import DatabaseUnreachable, UsageError
from resource_airbyte.settings import Settings


def test_a_setting_that_is_none_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRBYTE_SERVER_PORT", "abc")
    monkeypatch.setattr(program.os, "umask", lambda _: 0)
    assert program.run(lambda _: pytest.fail("it ran")) == 1
    assert "cannot start: server_port: 'abc' is not a whole number" in caplog.text


@pytest.mark.parametrize("address", ["temporal", "http://temporal:7233", "two words:1", "temporal:port"])
def test_an_address_of_temporal_that_leads_nowhere_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="temporal_address"):
        Settings.load({"temporal_address": address}, environ={}, cwd=tmp_path)


def test_jobs_that_several_processes_run_need_a_database_of_several(tmp_path: Path) -> None:
    settings = Settings.load({"data_dir": str(tmp_path), "temporal_address": "temporal:7233"}, environ={}, cwd=tmp_path)
    with pytest.raises(UsageError, match="several processes") as caught:
        wiring.Parts.of(settings, "mark")
    assert "AIRBYTE_DATABASE_URL" in str(caught.value.hint)
    assert not (tmp_path / "airbyte.db").exists()


def test_a_database_that_is_not_there_yet_is_said_so(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="needs the Python package psycopg")
    Box.create(tmp_path / "master.key")
    with socket.socket() as taken:  # bound and not listened on: nobody answers, and nobody else can
        taken.bind(("127.0.0.1", 0))
        flags = {
            "data_dir": str(tmp_path),
            "temporal_address": "temporal:7233",
            "database_url": f"postgresql://airbyte@127.0.0.1:{taken.getsockname()[1]}/airbyte",
        }
        with pytest.raises(DatabaseUnreachable, match="cannot reach the database"):
            wiring.Parts.of(Settings.load(flags, environ={}, cwd=tmp_path), "mark")
