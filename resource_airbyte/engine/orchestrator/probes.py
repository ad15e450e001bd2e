"""Answering a probe: the one piece of code behind spec, check, discover and preview, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypedDict

from ... import process
from ...protocol.messages import StreamDescriptor
from ...settings import Settings
from ..connectors import probe as ask
from ..connectors.launch import Launchers
from ..connectors.probe import Answer, Ears
from ..connectors.specs import Specs
from ..secrets import Box, Filled
from .base import Probe
from .naming import destination_name
from .ready import ready

Log = Callable[[str, str], None]
Keep = Callable[[dict[str, Any]], None]


def _nowhere(_: dict[str, Any]) -> None:
    """The caller is content with the last new configuration in the result."""


def run_probe(
    probe: Probe,
    *,
    launchers: Launchers,
    specs: Specs,
    box: Box,
    settings: Settings,
    log: Log,
    keep: Keep = _nowhere,
    waiting: Callable[[str], None] | None = None,
    mark: str = "",
) -> dict[str, Any]:
    """Ask the connector and wait; the result is as `Orchestrator.probe` says. Its process bears `mark`.

    `log` gets (level, text). `keep` gets each new configuration, references in it as they were written, at the moment
    when the connector asks for it; what it has stored is safe even when the connector fails after that (rule 9).
    `waiting` gets a sentence whenever there is something new to say to whoever waits; it is logged, too.
    """
    connector, version = probe.connector, probe.version

    def wait(text: str) -> None:
        log("INFO", text)
        if waiting is not None:
            waiting(text)

    ears = Ears(log=lambda level, text: log(level, f"{connector.short}: {text}"), waiting=wait)
    if probe.kind == "spec":
        return specs.get(connector, version, ears=ears, mark=mark)
    launch = launchers.prepare(connector, version, ears.waiting)
    launch = replace(launch, env={**launch.env, process.MARK: mark})
    written = box.open(probe.configuration) if probe.configuration is not None else {}
    filled = ready(written, connector, lambda: specs.get(connector, version, ears=ears))
    for warning in filled.warnings:
        log("WARN", f"{connector.short}: {warning}")
    ears = replace(ears, keep=lambda configuration: keep(filled.kept(configuration)))
    spec = (specs.cached(connector, version) or {}).get("connectionSpecification")
    known: _Known = {"spec": spec, "secrets": filled.secrets, "ears": ears}
    if probe.kind == "check":
        answer = ask.check(launch, filled.configuration, settings.check_timeout, **known)
        return {**answer.payload, **_renewed(answer, filled, box)}
    if probe.kind == "discover":
        answer = ask.discover(launch, filled.configuration, settings.discover_timeout, **known)
        return {"catalog": answer.payload, **_renewed(answer, filled, box)}
    catalog, names = _tables_wanted(probe.arguments)
    arguments = {"catalog": catalog, "limit": probe.arguments.get("limit", 5)}
    answer = ask.preview(launch, filled.configuration, arguments, settings.preview_timeout, **known)
    return {"tables": [_by_source_name(table, names) for table in answer.payload.get("tables", [])]}


class _Known(TypedDict):
    """What every question goes with."""

    spec: dict[str, Any] | None
    secrets: frozenset[str]
    ears: Ears


def _renewed(answer: Answer, filled: Filled, box: Box) -> dict[str, bytes]:
    return {"configuration": box.seal(filled.kept(answer.configurations[-1]))} if answer.configurations else {}


def _tables_wanted(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[StreamDescriptor, StreamDescriptor]]:
    """A preview's streams as a configured catalog, in the destination's names, and the source's name of each."""
    form = [arguments.get(name) for name in ("namespaceDefinition", "namespaceFormat", "prefix")]
    names = {}
    for stream in arguments.get("streams", []):
        source = StreamDescriptor(stream["name"], stream.get("namespace"))
        names[StreamDescriptor(*destination_name(source, *form))] = source
    return {"streams": [_configured(name) for name in names]}, names


def _configured(name: StreamDescriptor) -> dict[str, Any]:
    stream = {"name": name.name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    if name.namespace is not None:
        stream["namespace"] = name.namespace
    return {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}


def _by_source_name(table: dict[str, Any], names: Mapping[StreamDescriptor, StreamDescriptor]) -> dict[str, Any]:
    written = StreamDescriptor(table["streamName"], table.get("streamNamespace"))
    source = names.get(written, written)
    named = {"streamName": source.name, "streamNamespace": source.namespace}
    return {name: value for name, value in {**table, **named}.items() if value is not None}
