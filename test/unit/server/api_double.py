"""Doubles for tests of the API: an orchestrator that answers from a table, and a client in process."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from resource_airbyte.engine.connectors.known.catalog import Breaking, Catalog, Connector
from resource_airbyte.engine.orchestrator.base import Probe
from resource_airbyte.engine.secrets import Box
from resource_airbyte.engine.store import Database, jobs

OPENAPI = Path(__file__).resolve().parents[3].parent / "shared" / "airbyte" / "config.yaml"
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
        self.waited: list[tuple[int, float]] = []

    def submit(self, job_id: int) -> None:
        self.submitted.append(job_id)

    def cancel(self, job_id: int) -> None:
        with self.db.begin() as tx:
            jobs.set_status(tx, job_id, "cancelled")

    def wait(self, job_id: int, seconds: float) -> None:
        self.waited.append((job_id, seconds))

    def probe(self, probe: Probe) -> dict[str, Any]:
        self.probes.append(probe)
        if probe.kind == "spec":
            return copy.deepcopy(SPEC if probe.connector.kind == "source" else WAREHOUSE)
        answer = self.answers[probe.kind]
        if isinstance(answer, Exception):
            raise answer
        return copy.deepcopy(answer)

    def waits(self) -> dict[int, str]:
        return dict.fromkeys(self.submitted, "2 of 2 jobs run")

    def doing(self) -> list[str]:
        return ["asking source-slow 1: check"]

    def recover(self) -> None:
        raise AssertionError("the API does not recover jobs")

    def drain(self, timeout: float) -> None:
        raise AssertionError("the API does not end jobs")

    def configuration(self) -> Any:
        """What the last probe was to be started with."""
        sealed = self.probes[-1].configuration
        assert sealed is not None
        return self.box.open(sealed)


class Contract:
    """Airbyte's OpenAPI document, where it lies beside the checkout: every good answer is held against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        stream = document["components"]["schemas"]["AirbyteStream"]
        stream["required"] = ["name"]  # it requires a "json_schema" that it does not allow: jsonSchema is meant
        resource = Resource(contents=document, specification=DRAFT7)
        self.paths, self._registry = document["paths"], Registry().with_resource("openapi", resource)
        self._responses = document["components"]["responses"]
        self.held: set[str] = set()

    @classmethod
    def load(cls) -> Contract | None:
        if not OPENAPI.exists():
            return None
        with OPENAPI.open() as file:
            return cls(yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))

    def hold(self, method: str, path: str, response: httpx.Response) -> None:
        path = path.removeprefix("/api").rstrip("/")
        answers = self.paths.get(path, {}).get(method.lower(), {}).get("responses", {})
        answer = answers.get(str(response.status_code), {})
        if "$ref" in answer:
            answer = self._responses[answer["$ref"].rsplit("/", 1)[1]]
        content = answer.get("content", {})
        if "application/json" in content and response.headers.get("content-type") == "application/json":
            reference = content["application/json"]["schema"]["$ref"]
            Draft7Validator({"$ref": f"openapi{reference}"}, registry=self._registry).validate(response.json())
            self.held.add(path)


class OfTheTest:
    """Stands for what each test makes anew, in what is made once for all of them: most tests take less time than the
    routes take to be built. `find`: what is meant now; None while nothing is, and then of each attribute, too, only a
    stand-in is handed out.
    """

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        meant = self._find()
        return OfTheTest(lambda: getattr(self._find(), name)) if meant is None else getattr(meant, name)

    def __call__(self, *arguments: Any) -> Any:
        return self._find()(*arguments)


class Api:
    """Posts to the API as a client with a token would."""

    def __init__(self, app: Any, base_url: str = "http://localhost:8000", contract: Contract | None = None) -> None:
        self.app, self.base_url, self.contract = app, base_url, contract
        self.headers = {"authorization": f"Bearer {TOKEN}"}

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url) as client:
                return await client.request(method, path, headers=headers, **options)

        response = anyio.run(send)
        if self.contract is not None:
            self.contract.hold(method, path, response)
        return response

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
            breaking=(Breaking("1.0.0", "Counts begin at one.", "2024-01-31", "https://example.invalid/one"),),
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
