"""The stack on a real engine: up from nothing, used, scaled, killed piece by piece, stopped and taken away.

The tests share one stack and run in their order; what they measure is printed. The rows of a source that the tests
serve themselves are compared with the table's one by one. Kills come in the middle of a sync for certain: the source
hangs, the service dies, the source goes on.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator

import pytest
from docker.models.containers import Container
from own_stack import SERVICES, Stack, until
from shop_server import MANIFEST, Shop

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.timeout(300)]

HEALTHY_WITHIN = 30.0  # seconds, with the images there
BUSY = 2.0 * (os.cpu_count() or 1)
IDLE = 1024.0  # MiB in all
SHOP = "/data/test-shop/manifest.yaml"
PIPELINE = """
name: shop
source:
  name: shop
  connector: Shop
  config: {{base_url: "{url}", token: "{token}", start_date: "2026-01-01T00:00:00Z"}}
destination:
  name: warehouse
  connector: destination-postgres
  config:
    host: postgres
    port: 5432
    database: warehouse
    schema: shop
    username: warehouse
    password: "{password}"
    ssl_mode: {{mode: disable}}
sync:
  streams:
    - {{name: orders, sync_mode: incremental, destination_sync_mode: append_dedup, cursor_field: updated_at,
       primary_key: [id]}}
    - {{name: customers, sync_mode: full_refresh, destination_sync_mode: overwrite}}
  schedule: manual
"""
ORDERS = """
SELECT id, customer_id, total, to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS updated_at
FROM shop.orders ORDER BY id
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("stack"))
    failed = request.session.testsfailed
    try:
        installed = made.cli("manage", "install", "--runtime", "compose")
        print(f"\ninstalled in {installed.seconds:.1f} s (the image included)")
        made.busy = os.getloadavg()[0]
        made.started = made.cli("manage", "start", "--wait").seconds
        yield made
        if request.session.testsfailed > failed and made.data.exists():
            print(made.last_words())
    finally:
        if made.data.exists():
            made.cli("manage", "uninstall", "--force")
        made.close()


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Shop]:
    """A source that containers reach, set up as a pipeline that has run once."""
    with Shop(orders=5000, host=stack.gateway()) as shop:
        # A window of a day: a checkpoint after each, and not one at the end.
        stack.put(MANIFEST.read_bytes().replace(b"step: P90D", b"step: P1D"), SHOP)
        stack.api.source_definitions.create_custom(stack.api.workspace_id, "Shop", f"file://{SHOP}", "local")
        password = (stack.data / "secrets" / "warehouse_password").read_text().strip()
        pipeline = stack.directory / "shop.yaml"
        pipeline.write_text(PIPELINE.format(url=shop.url, token=shop.token, password=password))
        ran = stack.cli("content", "execute", "--config", str(pipeline))
        print(f"\nthe first sync of the shop took {ran.seconds:.1f} s")
        assert_same(stack, shop)
        yield shop


def assert_same(stack: Stack, shop: Shop) -> None:
    """Every row of the table is one of the source's, and the other way round."""
    for stream, query in {
        "orders": ORDERS,
        "customers": "SELECT id, name, address FROM shop.customers ORDER BY id",
    }.items():
        wanted = shop.answer(f"/{stream}", {"limit": "1000000"}, f"Bearer {shop.token}")[1]["data"]
        found = stack.rows(query)
        assert len(found) == len(wanted), stream
        assert found == wanted, stream


class Held:
    """A sync that hangs in the middle: its source has answered some requests, and now says nothing until `go_on`."""

    def __init__(self, stack: Stack, shop: Shop) -> None:
        self.stack, self.shop, reached = stack, shop, threading.Event()
        shop.add(1500)
        shop.reached = reached.set
        shop.hold()
        shop.trouble[:] = ["none"] * 10 + ["hang"]
        self.began = time.monotonic()
        self.job: int = stack.api.connections.sync(stack.connection("shop")).job.id
        assert reached.wait(60), "the sync does not come to its middle"

    def go_on(self) -> None:
        self.shop.let_go()

    def assert_complete(self) -> None:
        status = self.stack.finished(self.job)
        info = self.stack.api.jobs.get_without_logs(self.job)
        print(f"; {len(info.attempts)} attempts, {time.monotonic() - self.began:.1f} s in all")
        assert status == "succeeded", self.stack.cli("logs", "--job", str(self.job)).out
        assert_same(self.stack, self.shop)


def test_it_is_healthy_in_time(stack: Stack) -> None:
    print(f"\nhealthy {stack.started:.1f} s after the start; {stack.busy:.1f} processes wanted a processor before it")
    # Where others keep every processor busy, the time says how busy they are.
    assert stack.started < HEALTHY_WITHIN or stack.busy > BUSY
    found = stack.status()
    assert {each["name"] for each in found["services"] if each["healthy"]} == set(SERVICES)
    assert all("airbyte" in each.name for each in stack.containers())


def test_idle_it_uses_little_memory(stack: Stack) -> None:
    used = stack.memory()
    print(
        "\nidle: "
        + ", ".join(f"{name} {size:.0f}" for name, size in used.items())
        + f", in all {sum(used.values()):.0f} MiB"
    )
    assert set(used) == set(SERVICES)
    assert sum(used.values()) < IDLE


def test_its_ports_are_on_loopback_alone_and_its_own_programs_run_as_nobody(stack: Stack) -> None:
    for container in stack.containers():
        bound = [to["HostIp"] for each in container.ports.values() for to in each or ()]
        assert set(bound) <= {"127.0.0.1"}
        if container.labels["com.docker.compose.service"] in ("webapp", "server", "worker"):
            assert container.exec_run(["id", "-u"])[1].strip() != b"0"
            assert container.exec_run(["touch", "/app/x"])[0] != 0


def test_no_secret_is_in_what_the_engine_shows(stack: Stack) -> None:
    secrets = [path.read_text().strip() for path in (stack.data / "secrets").iterdir()]
    shown = json.dumps([each.attrs for each in stack.containers()])
    said = b"".join(each.logs() for each in stack.containers()).decode("utf-8", "replace")
    assert [secret for secret in secrets if secret in shown or secret in said] == []


def test_a_pipeline_runs_as_it_is_written(stack: Stack) -> None:
    ran = stack.cli("content", "execute", "--config", "config/examples/faker-to-postgres.yaml")
    print(f"\nfaker-to-postgres took {ran.seconds:.1f} s, the connector's installation included")
    for stream, count in {"users": 1000, "products": 100, "purchases": 1000}.items():
        (found,) = stack.rows(
            f"SELECT count(*) AS rows, count(DISTINCT id) AS ids, min(id), max(id) FROM faker.{stream}"
        )
        assert found == {"rows": count, "ids": count, "min": 1, "max": count}, stream


def test_workers_are_as_many_as_is_said(stack: Stack, shop: Shop) -> None:
    ran = stack.cli("manage", "scale", "--workers", "2")
    until(lambda: stack.healthy("worker"), "both workers are healthy", 60)
    print(f"\ntwo workers after {ran.seconds:.1f} s")
    assert len(stack.containers("worker")) == 2


@pytest.mark.parametrize("service", ["webapp", "server", "temporal", "postgres", "worker"])
def test_a_service_that_is_killed_in_the_middle_of_a_sync_costs_no_row(stack: Stack, shop: Shop, service: str) -> None:
    held = Held(stack, shop)
    victim = busy(stack) if service == "worker" else stack.containers(service)[0]
    restarts = victim.attrs["RestartCount"]
    stack.kill(victim)
    killed = time.monotonic()
    until(lambda: has_come_back(victim, restarts), f"{service} comes back", 90)
    print(f"\n{service} was back after {time.monotonic() - killed:.1f} s", end="")
    held.go_on()
    held.assert_complete()
    until(lambda: all(stack.healthy(each) for each in SERVICES), "all are healthy", 60)


def busy(stack: Stack) -> Container:
    """The worker that has an attempt."""

    def works(worker: Container) -> bool:
        lines: list[list[str]] = worker.top()["Processes"]
        return any("engine.main.attempt" in word for line in lines for word in line)

    (found,) = [each for each in stack.containers("worker") if works(each)]
    return found


def has_come_back(container: Container, restarts: int) -> bool:
    container.reload()
    return container.attrs["RestartCount"] > restarts and container.attrs["State"]["Health"]["Status"] == "healthy"


def test_a_stop_lets_a_sync_come_to_its_next_checkpoint_and_a_start_goes_on(stack: Stack, shop: Shop) -> None:
    held = Held(stack, shop)
    letting = threading.Timer(2.0, held.go_on)
    letting.start()
    stopped = stack.cli("manage", "stop")
    letting.join()
    print(f"\nstopped in {stopped.seconds:.1f} s", end="")
    assert [each.name for each in stack.containers() if each.status == "running"] == []
    started = stack.cli("manage", "start", "--wait")
    print(f", healthy again after {started.seconds:.1f} s", end="")
    held.assert_complete()


def test_an_uninstall_leaves_nothing(stack: Stack) -> None:
    project, networks = stack.project, stack.leftovers()["networks"]
    assert len(networks) == 2
    ran = stack.cli("manage", "uninstall", "--force")
    print(f"\nuninstalled {project} in {ran.seconds:.1f} s")
    assert stack.leftovers() == {}
    assert not stack.data.exists()
