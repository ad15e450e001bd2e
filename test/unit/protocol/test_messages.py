"""What we write to connectors."""

from __future__ import annotations

import json

import msgspec

from resource_airbyte.protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor, encode


def test_a_catalog_has_what_connectors_require_of_a_stream_also_when_it_is_empty() -> None:
    written = encode(ConfiguredCatalog([ConfiguredStream(Stream("people"), "full_refresh", "append")]))
    assert json.loads(written)["streams"] == [
        {
            "stream": {"name": "people", "json_schema": {}, "supported_sync_modes": []},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "append",
        }
    ]


def test_an_empty_namespace_is_none() -> None:
    plain = StreamDescriptor("people")
    assert StreamDescriptor("people", "") == plain
    assert msgspec.json.decode(b'{"name": "people", "namespace": ""}', type=StreamDescriptor) == plain
    assert ConfiguredStream(Stream("people", namespace=""), "full_refresh", "append").descriptor == plain
