"""What a worker tells over HTTP."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from resource_airbyte.engine.main.doors import bound
from resource_airbyte.engine.main.watched import Watched, listening
from resource_airbyte.engine.metrics import Metrics


def ask(path: str, *, well: bool = True, **headers: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        app = Watched(Metrics(), token=lambda: "secret", well=lambda: well)
        with bound(0, "worker_port") as door:
            url = f"http://127.0.0.1:{door.getsockname()[1]}{path}"
            async with listening(app, door), httpx.AsyncClient(trust_env=False) as client:
                return await client.get(url, headers=headers)

    return asyncio.run(asked())


def test_its_health_is_open_and_says_how_it_is() -> None:
    assert (ask("/health").status_code, ask("/health", well=False).status_code) == (200, 503)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer other"}, {"authorization": "Basic secret"}])
def test_its_metrics_need_the_token(headers: dict[str, str]) -> None:
    refused = ask("/metrics", **headers)
    assert (refused.status_code, refused.json()["details"]["code"]) == (401, "unauthorized")


def test_its_metrics_are_those_of_the_process() -> None:
    got = ask("/metrics", authorization="Bearer secret")
    assert got.status_code == 200
    assert "process_resident_memory_bytes" in got.text


def test_there_is_nothing_else() -> None:
    assert ask("/", authorization="Bearer secret").status_code == 404
