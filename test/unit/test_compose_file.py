"""The compose file keeps what it promises: limits, health, loopback, no secret in a variable, words that 1.29 knows."""

from __future__ import annotations

import re
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
