"""The compose file keeps what it promises: limits, health, loopback, no secret in a variable, words that 1.29 knows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"
TEXT = (DOCKER / "compose.yaml").read_text("utf-8")
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
CODE = re.sub(r"(^|\s)#.*", "", TEXT, flags=re.MULTILINE)


def test_the_stack_is_five_services() -> None:
    assert set(SERVICES) == {"webapp", "server", "worker", "temporal", "postgres"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_limited_watched_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert {"mem_limit", "cpus", "healthcheck", "logging"} <= set(service)
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"max-size", "max-file"} == set(service["logging"]["options"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_fixed_name_and_an_image_that_can_be_replaced(name: str) -> None:
    assert "container_name" not in SERVICES[name]
    assert re.fullmatch(r"\$\{AIRBYTE_\w*IMAGE:-[\w./-]+:[\w.]+\}", SERVICES[name]["image"])


@pytest.mark.parametrize("name", ["server", "worker", "webapp"])
def test_what_is_ours_runs_as_an_ordinary_user_on_a_root_that_nobody_writes_to(name: str) -> None:
    assert SERVICES[name]["user"] == "${AIRBYTE_UID:-10001}:${AIRBYTE_GID:-10001}"
    assert SERVICES[name]["read_only"] is True


def test_ports_are_published_on_loopback_alone_and_only_by_who_is_on_the_edge() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\$\{AIRBYTE_\w+_PORT:-\d+\}:\d+", port)
            assert "edge" in service["networks"]
    assert STACK["networks"]["inner"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == ["inner"]
    assert "ports" not in SERVICES["worker"], "two of them could not both have it"


def test_secrets_are_files_and_never_variables() -> None:
    for service in SERVICES.values():
        values = service.get("environment", {})
        secret = [name for name in values if re.search("PASSWORD|PWD|TOKEN|KEY", name)]
        assert [name for name in secret if not name.endswith("_FILE")] == []
        for value in values.values():
            assert not re.search(r"//[^/@]+:[^/@]+@", value)
    assert all(set(secret) == {"file"} for secret in STACK["secrets"].values())


def test_both_generations_of_compose_know_every_word() -> None:
    assert not {"version", "name", "include"} & set(STACK)
    assert not re.search(r"start_interval|develop:|\$\{\w+:\+|\$\{[^}]*\$\{", CODE)


def test_the_image_is_built_without_buildkit() -> None:
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    assert not re.search(r"^# *syntax|--mount|--chmod|<<", text, re.MULTILINE)
    assert re.search(r"^ARG BASE_IMAGE=python:3\.11-slim$", text, re.MULTILINE)
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)


def entrypoint(place: Path, *present: str) -> Path:
    """Where the database is after its container's entrypoint, of a volume in which this was there before."""
    volume, programs = place / "volume", place / "programs"
    for directory in (volume, programs):
        directory.mkdir()
    for name in present:
        (volume / name).parent.mkdir(exist_ok=True)
        (volume / name).write_text("15\n")
    for name, does in {"docker-entrypoint.sh": 'echo "$PGDATA"', "chown": ":"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    script = SERVICES["postgres"]["entrypoint"][2].replace("$$", "$").replace("/docker-entrypoint-initdb.d", str(place))
    script = script.replace("/var/lib/postgresql/data", str(volume))
    env = {"PATH": f"{programs}:/usr/bin:/bin", "PGDATA": str(volume)}
    done = subprocess.run(["bash", "-c", script, "start"], env=env, capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()).relative_to(volume)


def test_a_database_that_was_never_finished_is_made_anew(tmp_path: Path) -> None:
    assert entrypoint(tmp_path, "begun", "made/PG_VERSION") == Path("made")
    assert [path.name for path in (tmp_path / "volume").iterdir()] == ["begun"]


@pytest.mark.parametrize(
    ("present", "where"), [("made/PG_VERSION", "made"), ("PG_VERSION", "."), ("made/other", "made")]
)
def test_a_database_that_is_not_being_made_is_never_removed(tmp_path: Path, present: str, where: str) -> None:
    assert entrypoint(tmp_path, present) == Path(where)
    assert (tmp_path / "volume" / present).exists()
    assert not (tmp_path / "volume" / "begun").exists()


def test_a_database_counts_as_whole_when_all_that_makes_it_is_done(tmp_path: Path) -> None:
    entrypoint(tmp_path)
    assert (tmp_path / "volume" / "begun").exists()
    assert sorted(path.name for path in tmp_path.glob("*.s*")) == ["warehouse.sql", "whole.sh"]
    subprocess.run(["sh", "-ec", f". {tmp_path}/whole.sh"], check=True)
    assert not (tmp_path / "volume" / "begun").exists()
