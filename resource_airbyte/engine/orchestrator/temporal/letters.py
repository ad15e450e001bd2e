"""A probe and its answer as sealed bytes: what passes through the store between two processes of this Airbyte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ....errors import ConnectorError, ResourceError, by_code
from ...connectors.known.catalog import Connector
from ...secrets import Box
from ..base import Probe


def request(probe: Probe, box: Box) -> bytes:
    configuration = None if probe.configuration is None else probe.configuration.decode()
    return box.seal(
        {
            "kind": probe.kind,
            "connector": msgspec.to_builtins(probe.connector, enc_hook=_plain),
            "version": probe.version,
            "configuration": configuration,
            "arguments": dict(probe.arguments),
            "actor": probe.actor_id,
        }
    )


def requested(sealed: bytes, box: Box) -> Probe:
    told = box.open(sealed)
    configuration = told["configuration"]
    return Probe(
        told["kind"],
        msgspec.convert(told["connector"], Connector, dec_hook=_path),
        told["version"],
        None if configuration is None else configuration.encode(),
        told["arguments"],
        told["actor"],
    )


def answer(found: dict[str, Any], box: Box) -> bytes:
    """A connector's new configuration in it is sealed already."""
    configuration = found.get("configuration")
    plain = found if configuration is None else {**found, "configuration": configuration.decode()}
    return box.seal({"answer": plain})


def refusal(error: ResourceError, box: Box) -> bytes:
    told: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "details": error.details,
    }
    if isinstance(error, ConnectorError):
        told |= {"type": error.failure_type, "origin": error.origin}
    return box.seal({"error": told})


def answered(sealed: bytes, box: Box) -> dict[str, Any]:
    """The answer; what was raised where the connector ran is raised here."""
    told = box.open(sealed)
    if "error" in told:
        raise _error(told["error"])
    found: dict[str, Any] = told["answer"]
    if "configuration" in found:
        found["configuration"] = found["configuration"].encode()
    return found


def _error(told: dict[str, Any]) -> ResourceError:
    kind, message = by_code(told["code"]), told["message"]
    if issubclass(kind, ConnectorError):
        return kind(
            message,
            hint=told["hint"],
            details=told["details"],
            failure_type=told["type"],
            origin=told["origin"],
        )
    return kind(message, hint=told["hint"], details=told["details"])


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value)} in a connector")


def _path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise TypeError(f"{kind} in a connector")
