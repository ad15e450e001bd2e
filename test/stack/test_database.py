"""The database of the stack, made by the compose file's own entrypoint on a real engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from docker.models.containers import Container
from own_stack import ROOT, until

from resource_airbyte.runtime.stack import engine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]
SERVICE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text("utf-8"))["services"]["postgres"]
IMAGE = os.environ.get("AIRBYTE_POSTGRES_IMAGE") or "postgres:16"
LOOK = ("psql", "-h", "127.0.0.1", "-U", "airbyte", "-d", "airbyte", "-Atc", "SELECT datname FROM pg_database")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Container]:
    """A container as the stack has one, not started yet."""
    secret = tmp_path / "password"
    secret.write_text("not much of a secret")
    names = ("postgres_password", "warehouse_password")
    with closing(engine.connect().client) as client:
        if not client.images.list(IMAGE):
            pytest.skip(f"needs the image {IMAGE}")
        volume = client.volumes.create()
        made = client.containers.create(
            IMAGE,
            entrypoint=[word.replace("$$", "$") for word in SERVICE["entrypoint"]],
            command=SERVICE["command"],
            environment={**SERVICE["environment"], "PGPASSWORD": secret.read_text()},
            volumes=[
                f"{volume.name}:/var/lib/postgresql/data",
                *(f"{secret}:/run/secrets/{name}:ro" for name in names),
            ],
        )
        yield made
        made.remove(force=True, v=True)
        volume.remove()


@pytest.mark.parametrize("step", ["performing post-bootstrap", "syncing data to disk"])
def test_a_database_whose_making_was_cut_off_is_made_anew_by_the_next_start(database: Container, step: str) -> None:
    database.start()
    for line in database.logs(stream=True, follow=True):
        if step in line.decode():
            database.kill()  # which ends what it writes, too
    assert database.wait()["StatusCode"] == 137
    database.start()
    seen = until(lambda: _databases(database), "the database that is made last", 60.0)
    assert {"airbyte", "warehouse"} <= seen
    database.kill()
    database.start()
    assert until(lambda: _databases(database), "the same databases", 60.0) == seen


def _databases(database: Container) -> set[str] | None:
    """Over TCP, as the health check asks: while the server is being prepared it listens on a socket only."""
    code, said = database.exec_run(list(LOOK))
    return set(said.decode().split()) if code == 0 else None
