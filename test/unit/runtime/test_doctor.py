"""The checks of the embedded runtime, each with what makes it fail; test/stack has those of the stack."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.runtime import checks, disk, doctor, reach
from resource_airbyte.runtime.checks import Check
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.embedded import Embedded
from resource_airbyte.settings import Settings


@pytest.fixture
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")  # the engine of this machine is not looked at
    places = {"data_dir": str(tmp_path / "data"), "cache_dir": str(tmp_path / "cache")}
    return {**places, "webapp_port": 0, "server_port": 0, "offline": True}


@pytest.fixture
def installed(flags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings.load(flags, cwd=Path("/"))
    monkeypatch.setattr(Embedded, "_prepare_database", lambda _: None)
    Embedded(settings).install()
    key = settings.data_dir / "master.key"
    key.touch(mode=0o600)
    return settings


def look(settings: Settings) -> dict[str, Check]:
    return {each.name: each for each in doctor.examine(settings)}


def test_where_all_is_well_every_check_says_so(installed: Settings) -> None:
    found = look(installed)
    assert {each.level for name, each in found.items() if name != "daemon"} <= {"ok"}
    assert found["daemon"] == Check("daemon", "warn", "it does not run", "resource-airbyte manage start")
    assert {"python", "data directory", "token", "master.key", "disk of data", "memory", "network"} <= set(found)


def test_nothing_installed_is_a_warning_with_the_way_to_it(flags: dict[str, Any]) -> None:
    found = look(Settings.load(flags, cwd=Path("/")))["data directory"]
    assert found.level == "warn"
    assert "manage install" in str(found.hint)


def test_open_files_are_found(installed: Settings) -> None:
    installed.data_dir.chmod(0o755)
    (installed.data_dir / "master.key").chmod(0o644)
    (installed.data_dir / "token").unlink()
    found = look(installed)
    assert found["data directory"].hint == f"chmod 700 {installed.data_dir}"
    assert found["master.key"].hint == f"chmod 600 {installed.data_dir / 'master.key'}"
    assert "manage install --force" in str(found["token"].hint)
    assert {found[name].level for name in ("data directory", "master.key", "token")} == {"fail"}


def test_a_damaged_marker_is_a_finding_and_no_crash(installed: Settings) -> None:
    (installed.data_dir / ".resource-airbyte").write_text("{")
    found = look(installed)
    assert (found["data dir"].level, "manage install --force" in str(found["data dir"].hint)) == ("fail", True)
    assert found["python"].level == "ok"


def test_a_taken_port_is_found(flags: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = look(Settings.load({**flags, "webapp_port": port}, cwd=Path("/")))[f"port {port}"]
    assert found.level == "fail"
    assert "AIRBYTE_WEBAPP_PORT" in str(found.hint)


@pytest.mark.parametrize(("free", "level"), [(100 << 20, "fail"), (1 << 30, "warn"), (10 << 30, "ok")])
def test_a_disk_that_fills_up_is_found(
    installed: Settings, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    monkeypatch.setattr(checks, "free_bytes", lambda _: free)
    assert look(installed)["disk of data"].level == level


def test_a_daemon_that_ended_badly_is_found(installed: Settings) -> None:
    last = {
        "pid": 2**22 + 1,
        "started": 1.0,
        "version": "0",
        "webapp_port": 1,
        "server_port": 2,
        "socket": "",
        "mark": "x",
    }
    DataDir(installed.data_dir).instance_file.write_text(json.dumps(last))
    found = look(installed)["daemon"]
    assert (found.level, "ended without cleaning up" in found.message) == ("warn", True)


@pytest.fixture
def registry() -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a server, and the headers that it answers with."""
    headers: dict[str, str] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(404)  # whatever it says, it is there
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_port}/files", headers
        server.shutdown()


@pytest.mark.parametrize(("off", "level"), [(0, "ok"), (900, "warn"), (-900, "warn")])
def test_a_wrong_clock_is_found_by_the_registrys(
    flags: dict[str, Any], registry: tuple[str, dict[str, str]], off: int, level: str
) -> None:
    url, headers = registry
    headers["Date"] = formatdate(time.time() + off, usegmt=True)
    found = {each.name: each for each in reach.registry(Settings.load({**flags, "registry_url": url}, cwd=Path("/")))}
    assert found["connector registry"].level == "ok"
    assert found["clock"].level == level


def test_a_registry_that_is_not_reached_is_a_warning_without_its_password(
    flags: dict[str, Any], free_port: Any
) -> None:
    url = f"http://me:secret@127.0.0.1:{free_port()}/files"
    (found,) = reach.registry(Settings.load({**flags, "registry_url": url}, cwd=Path("/")))
    assert found.level == "warn"
    assert "secret" not in found.message


def test_a_package_index_that_is_not_there_is_a_warning(
    flags: dict[str, Any], free_port: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://me:secret@127.0.0.1:{free_port()}/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    (found,) = reach.index(Settings.load(flags, cwd=Path("/")))
    assert (found.level, found.name) == ("warn", "package index")
    assert "secret" not in found.message


def test_what_a_directory_takes_counts_a_file_with_two_names_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    once = disk.used_bytes(tmp_path)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert once >= 100_000
    assert disk.used_bytes(tmp_path) == once
    assert disk.free_bytes(tmp_path) > 0
