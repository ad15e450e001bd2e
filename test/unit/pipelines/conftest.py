"""An Airbyte in a dictionary, behind httpx's own seam: it keeps what it is told and counts what it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from resource_airbyte.client import Endpoint
from resource_airbyte.client.api import Airbyte
from resource_airbyte.pipelines.document import Document, read

MASK = "**********"
JOB = {"id": "j", "configType": "sync", "createdAt": 1, "endedAt": 2, "succeeded": True}
DEFINITIONS = {
    "source": [
        ("s-faker", "Sample Data", "airbyte/source-faker"),
        ("s-file", "File", "airbyte/source-file"),
    ],
    "destination": [
        ("d-duckdb", "DuckDB", "airbyte/destination-duckdb"),
        ("d-postgres", "Postgres", "airbyte/destination-postgres"),
    ],
}
STREAMS = [
    {
        "name": "users",
        "jsonSchema": {"properties": {"id": {}, "name": {}, "updated_at": {}}},
        "supportedSyncModes": ["full_refresh", "incremental"],
        "sourceDefinedCursor": True,
        "defaultCursorField": ["updated_at"],
        "sourceDefinedPrimaryKey": [["id"]],
    },
    {
        "name": "events",
        "jsonSchema": {"properties": {"at": {}, "what": {}}},
        "supportedSyncModes": ["full_refresh", "incremental"],
    },
    {"name": "countries", "jsonSchema": {"properties": {"code": {}}}, "supportedSyncModes": ["full_refresh"]},
]


class FakeAirbyte:
    """Sources with a `password` (a secret), destinations, connections."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, dict[str, Any]]] = {"source": {}, "destination": {}, "connection": {}}
        self.own: dict[str, dict[str, dict[str, Any]]] = {"source": {}, "destination": {}}
        self.asked: list[str] = []
        self.specified: list[str | None] = []  # the versions whose specifications were asked for
        self.streams: list[dict[str, Any]] = [dict(stream) for stream in STREAMS]
        self.discovered: dict[str, list[dict[str, Any]]] = {}  # by source, as they were when it was asked last
        self.check: dict[str, Any] = {"status": "succeeded", "jobInfo": JOB}
        self.schema: dict[str, Any] = {"properties": {"count": {"type": "integer"}, "password": {"type": "string"}}}
        self.modes = ["overwrite", "append", "append_dedup"]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/")
        self.asked.append(path)
        body = json.loads(request.content or b"{}")
        noun, _, verb = path.rpartition("/")
        answer = getattr(self, f"_{noun or verb}")(verb, body)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def _instance_configuration(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        words = (
            "edition version airbyteUrl defaultUserId defaultOrganizationId defaultOrganizationEmail trackingStrategy"
        )
        texts = dict.fromkeys(words.split(), "x")
        return {**texts, "auth": {"mode": "none"}, "initialSetupComplete": True, "defaultWorkspaceId": "w"}

    def _source_definitions(self, verb: str, body: dict[str, Any]) -> Any:
        return self._definitions("source", verb, body)

    def _destination_definitions(self, verb: str, body: dict[str, Any]) -> Any:
        return self._definitions("destination", verb, body)

    def _definitions(self, side: str, verb: str, body: dict[str, Any]) -> Any:
        known = {
            identity: {
                f"{side}DefinitionId": identity,
                "name": name,
                "dockerRepository": repository,
                "dockerImageTag": "1",
                **({"runnable": False, "whyNot": "it needs containers"} if identity == "d-postgres" else {}),
            }
            for identity, name, repository in DEFINITIONS[side]
        }
        if verb == "create_custom":
            identity = f"own-{side}-{len(self.own[side]) + 1}"
            own = {**body[f"{side}Definition"], "custom": True, f"{side}DefinitionId": identity}
            self.own[side][identity] = own
            return own
        if verb == "update":
            self.own[side][body[f"{side}DefinitionId"]] |= body
        if verb == "delete":
            del self.own[side][body[f"{side}DefinitionId"]]
            return httpx.Response(204)
        known |= self.own[side]
        if verb == "list":
            return {f"{side}Definitions": list(known.values())}
        return known[body[f"{side}DefinitionId"]]

    def _source_definition_specifications(self, verb: str, body: dict[str, Any]) -> Any:
        self.specified.append(body.get("dockerImageTag"))
        return {"sourceDefinitionId": "s-faker", "connectionSpecification": self.schema, "jobInfo": JOB}

    def _destination_definition_specifications(self, verb: str, body: dict[str, Any]) -> Any:
        schema = {"connectionSpecification": {"properties": {"destination_path": {}}}}
        modes = {"supportedDestinationSyncModes": self.modes}
        return {"destinationDefinitionId": "d-duckdb", **schema, **modes, "jobInfo": JOB}

    def _sources(self, verb: str, body: dict[str, Any]) -> Any:
        if verb == "discover_schema":
            suggestion = {"syncMode": "full_refresh", "destinationSyncMode": "overwrite"}
            source = json.dumps(self.things["source"].get(body["sourceId"]))  # as its version and configuration are
            if body.get("disable_cache") or source not in self.discovered:  # it remembers, as the server does
                self.discovered[source] = [{"stream": dict(each), "config": suggestion} for each in self.streams]
            return {"catalog": {"streams": self.discovered[source]}, "jobInfo": JOB}
        return self._actors("source", verb, body)

    def _destinations(self, verb: str, body: dict[str, Any]) -> Any:
        return self._actors("destination", verb, body)

    def _actors(self, side: str, verb: str, body: dict[str, Any]) -> Any:
        known = self.things[side]
        if verb == "list":
            return {f"{side}s": [self._masked(thing) for thing in known.values()]}
        if verb.startswith("check_connection"):
            before = known.get(body[f"{side}Id"], {})
            idle = body.pop("onlyIfChanged", False) and before == {**before, **body}
            return {"status": "succeeded", "jobInfo": JOB} if idle else self.check
        if verb == "create":
            identity = f"{side}-{len(known) + 1}"
            known[identity] = {f"{side}Name": "x", **body, f"{side}Id": identity}
            return self._masked(known[identity])
        identity = body[f"{side}Id"]
        if verb == "delete":
            del known[identity]
            return httpx.Response(204)
        if verb == "get":
            return self._masked(known[identity])
        before = known[identity]
        if verb == "partial_update":
            body = {"connectionConfiguration": dict(before["connectionConfiguration"]), **body}
        kept = {
            k: before["connectionConfiguration"].get(k) for k, v in body["connectionConfiguration"].items() if v == MASK
        }
        body["connectionConfiguration"] |= kept
        known[identity] = {**before, **body}
        return {**self._masked(known[identity]), "configurationChanged": known[identity] != before}

    def _masked(self, thing: dict[str, Any]) -> dict[str, Any]:
        configuration = dict(thing["connectionConfiguration"])
        if "password" in configuration:
            configuration["password"] = MASK
        return {**thing, "connectionConfiguration": configuration}

    def _connections(self, verb: str, body: dict[str, Any]) -> Any:
        known = self.things["connection"]
        if verb == "list":
            return {"connections": list(known.values())}
        if verb == "create":
            identity = f"connection-{len(known) + 1}"
            known[identity] = {"breakingChange": False, **body, "connectionId": identity}
            return known[identity]
        known[body["connectionId"]] |= body
        return known[body["connectionId"]]


@pytest.fixture
def airbyte() -> FakeAirbyte:
    return FakeAirbyte()


@pytest.fixture
def client(airbyte: FakeAirbyte) -> Airbyte:
    return Airbyte(Endpoint("http://localhost:1/api", "t"), transport=httpx.MockTransport(airbyte))


@pytest.fixture
def content(tmp_path: Path) -> Any:
    """Write a content file and read it."""

    def write(
        text: str, *, name: str = "content.yaml", environ: dict[str, str] | None = None, **flags: str
    ) -> Document:
        file = tmp_path / name
        file.write_text(text, "utf-8")
        return read(file, environ=environ or {}, **flags)

    return write
