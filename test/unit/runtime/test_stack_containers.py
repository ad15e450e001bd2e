"""Containers as the engine describes them: what is wrong with them, what they use, how their lines are merged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from resource_airbyte.errors import Unhealthy
from resource_airbyte.runtime.datadir import DataDir
from resource_airbyte.runtime.stack import containers, health, output, usage
from resource_airbyte.runtime.stack.containers import Container
from resource_airbyte.runtime.stack.engine import Engine
from resource_airbyte.runtime.stack.stack import Stack
from resource_airbyte.runtime.stack.usage import Sample, Usage
from resource_airbyte.settings import Settings

IDENTITY = "0f1e" * 16


def raw(service: str = "server", number: int = 1, **state: Any) -> dict[str, Any]:
    """What the engine says of a container, as far as we look."""
    return {
        "Id": IDENTITY,
        "RestartCount": state.pop("restarts", 0),
        "Config": {
            "Image": "resource-airbyte:1",
            "Labels": {containers.SERVICE: service, containers.NUMBER: str(number)},
        },
        "State": {
            "Status": "running",
            "StartedAt": "2026-11-21T08:00:00.123456789Z",
            "ExitCode": 0,
            "Pid": 42,
            **state,
        },
        "NetworkSettings": {"Ports": {"8001/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18001"}], "9/tcp": None}},
    }


def one(**state: Any) -> Container:
    return containers.of(raw(**state))


def sick(said: str) -> dict[str, Any]:
    return {"Status": "unhealthy", "Log": [{"Output": "fine\n"}, {"Output": f"a\n{said}\n"}]}


def test_what_the_engine_says_is_read() -> None:
    found = one(Health={"Status": "healthy"})
    assert (found.service, found.number, found.ports, found.pid) == ("server", 1, {8001: 18001}, 42)
    assert found.started_at == pytest.approx(1795248000.123456789)
    assert (found.well, found.problem) == (True, None)
    assert containers.moment("0001-01-01T00:00:00Z") is None


@pytest.mark.parametrize(("state", "problem"), [
    ({"Status": "created"}, None),
    ({"Health": {"Status": "starting"}}, None),
    ({"Status": "paused"}, "paused"),
    ({"Status": "exited", "ExitCode": 3}, "ended with exit code 3"),
    ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, "ended with no memory left (its limit)"),
    ({"Status": "exited", "ExitCode": 137, "Health": sick("x")}, "ended with exit code 137"),
    ({"Status": "restarting", "ExitCode": 1}, "ended with exit code 1 and is started again"),
    ({"restarts": 2, "Health": {"Status": "starting"}}, "ended, and was started again a moment ago"),
    ({"Health": sick("it answers 503")}, "its health check fails: it answers 503"),
])  # fmt: skip
def test_what_is_wrong_with_it(state: dict[str, Any], problem: str | None) -> None:
    found = one(**state)
    assert found.problem == problem
    assert not found.well


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ({"Status": "paused"}, "let it go on: resource-airbyte manage start"),
        ({"Status": "exited", "ExitCode": 137}, "start it again: resource-airbyte manage start"),
        ({"Status": "restarting", "ExitCode": 1}, "see: resource-airbyte logs --service server"),
    ],
)
def test_what_to_type_then(state: dict[str, Any], remedy: str) -> None:
    assert one(**state).remedy.startswith(remedy)


def test_one_that_came_back_and_is_healthy_has_no_problem() -> None:
    assert one(restarts=3, Health={"Status": "healthy"}).problem is None


def test_every_service_has_a_row_and_replicas_have_numbers() -> None:
    found = [containers.of(raw(service, number)) for service, number in (("server", 1), ("worker", 1), ("worker", 2))]
    rows = list(health.services(found, {IDENTITY: Usage(1024, 0.5)}))
    names = [(row.name, row.replica) for row in rows]
    assert names == [
        ("webapp", None),
        ("server", None),
        ("worker", 1),
        ("worker", 2),
        ("temporal", None),
        ("postgres", None),
    ]
    assert (rows[0].running, rows[0].detail) == (False, "no container")
    assert (rows[1].address, rows[1].port, rows[1].memory) == ("http://localhost:18001", 18001, 1024)


def test_a_rate_needs_two_looks_at_the_same_run() -> None:
    before = Sample(10.0, 5.0, 100)
    assert usage.compare(before, Sample(10.5, 5.25, 200)) == Usage(200, 0.5)
    assert usage.compare(before, before) == Usage(100, None)
    assert usage.compare(before, Sample(10.5, 0.1, 50)) == Usage(50, None)  # it was started anew
    assert usage.compare(None, before) == Usage()


def test_the_engines_statistics_without_the_cache_of_files() -> None:
    stats = {
        "read": "2026-11-21T08:00:00.5Z",
        "memory_stats": {"usage": 1000, "stats": {"inactive_file": 300}},
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
    }
    found = usage.of_stats(stats)
    assert found is not None
    assert (found.spent, found.memory) == (2.5, 700)
    assert usage.of_stats({"read": "0001-01-01T00:00:00Z", "memory_stats": {}}) is None


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_kernels_accounts_of_version_2(tmp_path: Path) -> None:
    group = f"system.slice/docker-{IDENTITY}.scope"
    write(tmp_path / "42" / "cgroup", f"0::/{group}\n")
    write(tmp_path / group / "memory.stat", "anon 1\ninactive_file 300\n")
    write(tmp_path / group / "memory.current", "1000\n")
    write(tmp_path / group / "cpu.stat", "usage_usec 2500000\nuser_usec 1\n")
    found = usage.of_kernel(IDENTITY, 42, tmp_path, tmp_path)
    assert found is not None
    assert (found.spent, found.memory) == (2.5, 700)


def test_the_kernels_accounts_of_version_1_also_where_both_are_mounted(tmp_path: Path) -> None:
    group = f"docker/{IDENTITY}"
    write(tmp_path / "42" / "cgroup", f"4:memory:/{group}\n3:cpu,cpuacct:/{group}\n0::/{group}\n")
    write(tmp_path / "memory" / group / "memory.stat", "total_inactive_file 300\n")
    write(tmp_path / "memory" / group / "memory.usage_in_bytes", "1000\n")
    write(tmp_path / "cpu,cpuacct" / group / "cpuacct.usage", "2500000000\n")
    found = usage.of_kernel(IDENTITY, 42, tmp_path, tmp_path)
    assert found is not None
    assert (found.spent, found.memory) == (2.5, 700)


def test_a_process_that_is_not_the_containers_has_no_accounts_for_us(tmp_path: Path) -> None:
    write(tmp_path / "42" / "cgroup", "0::/user.slice/somebody\n")
    assert usage.of_kernel(IDENTITY, 42, tmp_path, tmp_path) is None
    assert usage.of_kernel(IDENTITY, 43, tmp_path, tmp_path) is None


def test_lines_have_their_times_and_whose_they_are() -> None:
    lines = [b"2026-11-21T08:00:00.250000001Z up and \xff running", b"2026-11-21T08:00:01Z "]
    assert [text for _, text in output.stamped(lines, "server")] == ["server     up and \ufffd running", "server     "]
    assert [text for _, text in output.stamped(lines, "")] == ["up and \ufffd running", ""]
    times = [at for at, _ in output.stamped(lines, "")]
    assert times[1] - times[0] == pytest.approx(0.75, abs=0.001)


def test_stopped_containers_whose_network_is_gone_are_dropped_and_no_others() -> None:
    gone: list[str] = []

    def listed(identity: str, network: str, state: str = "exited") -> dict[str, Any]:
        return {"Id": identity, "State": state, "NetworkSettings": {"Networks": {"inner": {"NetworkID": network}}}}

    there = [listed("a", "here"), listed("b", "gone"), listed("c", ""), listed("d", "gone", "running")]
    api = SimpleNamespace(
        networks=lambda: [{"Id": "here"}],
        containers=lambda **_: there,
        remove_container=lambda identity, force: gone.append(identity),
    )
    containers.drop_cut_off(cast(Engine, SimpleNamespace(client=SimpleNamespace(api=api))), "airbyte-1")
    assert gone == ["b"]


def test_what_mends_the_tables_of_a_temporal_that_was_ended_while_it_made_them_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = 'pq: duplicate key value violates unique constraint \\"namespace_metadata_pkey\\"'
    said = f"2026-11-21T19:00:00.1Z \x1b[31mERROR\x1b[0m {line}\n".encode()
    database, temporal = one(Health={"Status": "healthy"}), one(Status="restarting", ExitCode=1)
    found = [replace(database, service="postgres"), replace(temporal, service="temporal")]
    monkeypatch.setattr(Stack, "find", lambda _, service=None: [each for each in found if service != "temporal"])
    stack = Stack(Settings.load({}, environ={}, cwd=tmp_path), DataDir(tmp_path))
    api = SimpleNamespace(logs=lambda *_, **__: said)
    stack.__dict__["engine"] = SimpleNamespace(client=SimpleNamespace(api=api))
    error = stack.blame(Unhealthy("compose gave up"))
    assert error.message.endswith(f"it wrote last:\nERROR {line}")
    assert f"docker exec {IDENTITY[:12]} dropdb --force -U airbyte temporal" in str(error.hint)
