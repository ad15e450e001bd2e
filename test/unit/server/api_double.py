"""Doubles for tests of the API: an orchestrator that answers from a table, and a client in process."""

from __future__ import annotations

import copy
from typing import Any

import anyio
import httpx

from resource_airbyte.engine.connectors.catalog import Catalog, Connector
from resource_airbyte.engine.orchestrator.base import Probe
from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.store import Database, jobs

TOKEN = "a-token"
PORTS = (8000, 8001)
SOURCE, DESTINATION, BLOCKED = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "123")
SPEC = {
    "documentationUrl": "https://example.invalid/people",
    "connectionSpecification": {
        "type": "object",
        "required": ["count"],
        "properties": {
            "count": {"type": "integer", "minimum": 1},
            "host": {"type": "string"},
            "password": {"type": "string", "airbyte_secret": True},
        },
    },
}
WAREHOUSE = {
    "connectionSpecification": {"type": "object", "properties": {"path": {"type": "string"}}},
    "supported_destination_sync_modes": ["overwrite", "append", "append_dedup"],
}
USERS = {
    "name": "users",
    "json_schema": {"type": "object", "properties": {"id": {"type": "integer"}, "updated_at": {"type": "string"}}},
    "supported_sync_modes": ["full_refresh", "incremental"],
    "source_defined_cursor": True,
    "default_cursor_field": ["updated_at"],
    "source_defined_primary_key": [["id"]],
}
PLAIN = {
    "name": "plain",
    "namespace": "shop",
    "json_schema": {"type": "object"},
    "supported_sync_modes": ["full_refresh"],
}


class FakeOrchestrator:
    """Answers probes from a table; jobs wait until a test moves them."""

    def __init__(self, db: Database, box: Box) -> None:
        self.db, self.box = db, box
        self.answers: dict[str, Any] = {
            "check": {"status": "SUCCEEDED"},
            "discover": {"catalog": {"streams": [USERS, PLAIN]}},
            "preview": {"tables": []},
        }
        self.probes: list[Probe] = []
        self.submitted: list[int] = []

    def submit(self, job_id: int) -> None:
        self.submitted.append(job_id)

    def cancel(self, job_id: int) -> None:
        with self.db.begin() as tx:
            jobs.set_status(tx, job_id, "cancelled")

    def probe(self, probe: Probe) -> dict[str, Any]:
        self.probes.append(probe)
        if probe.kind == "spec":
            return copy.deepcopy(SPEC if probe.connector.kind == "source" else WAREHOUSE)
        answer = self.answers[probe.kind]
        if isinstance(answer, Exception):
            raise answer
        return copy.deepcopy(answer)

    def recover(self) -> None:
        raise AssertionError("the API does not recover jobs")

    def drain(self, timeout: float) -> None:
        raise AssertionError("the API does not end jobs")

    def configuration(self) -> Any:
        """What the last probe was to be started with."""
        sealed = self.probes[-1].configuration
        assert sealed is not None
        return self.box.open(sealed)


class Api:
    """Posts to the API as a client with a token would."""

    def __init__(self, app: Any, base_url: str = "http://localhost:8000") -> None:
        self.app, self.base_url = app, base_url
        self.headers = {"authorization": f"Bearer {TOKEN}"}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url) as client:
                return await client.request(method, path, headers=headers, **options)

        return anyio.run(send)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """The JSON of the answer to a POST, which must have this status."""
        response = self.request("POST", f"/api/v1/{path}", json={} if body is None else body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def get(self, path: str, status: int = 200) -> Any:
        response = self.request("GET", path)
        assert response.status_code == status, response.text
        return response.json()


PUBLIC = Catalog(
    [
        Connector(
            definition_id=SOURCE,
            kind="source",
            name="People",
            repository="test/source-people",
            short="source-people",
            version="1.0.0",
            launcher="venv",
            category="api",
        ),
        Connector(
            definition_id=DESTINATION,
            kind="destination",
            name="Ware",
            repository="test/destination-ware",
            short="destination-ware",
            version="2.0.0",
            launcher="native",
            supports_refreshes=True,
        ),
        Connector(
            definition_id=BLOCKED,
            kind="source",
            name="Blocked",
            repository="test/source-blocked",
            short="source-blocked",
            version="1.0.0",
            launcher="docker",
            runnable=False,
            why_not="there are no containers here",
        ),
    ]
)
