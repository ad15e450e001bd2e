"""What a worker tells over HTTP."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from resource_airbyte.engine.main.doors import bound
from resource_airbyte.engine.main.watched import Watched, listening
from resource_airbyte.engine.metrics import Metrics


def watched(well: bool = True) -> Watched:
    return Watched(Metrics(), token=lambda: "secret", well=lambda: well)


def ask(path: str, *, well: bool = True, **headers: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(watched(well))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(asked())


def test_it_answers_at_its_port_for_as_long_as_it_is_to() -> None:
    async def asked() -> None:
        with bound(0, "worker_port") as door:
            url = f"http://127.0.0.1:{door.getsockname()[1]}/health"
            async with httpx.AsyncClient(trust_env=False) as client:
                async with listening(watched(), door):
                    assert (await client.get(url)).status_code == 200
                with pytest.raises(httpx.ConnectError):
                    await client.get(url)

    asyncio.run(asked())


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
