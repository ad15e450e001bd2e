"""A stored configuration made ready for its connector: references filled in, converted and checked (rule 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ...errors import ReferenceFailed
from ...model.references import refers
from ..connectors.configurations.configuration import faults_of_filled
from ..connectors.configurations.redact import Redactor
from ..connectors.configurations.specification import converted
from ..connectors.known.catalog import Connector
from ..secrets import Filled, fill


def ready(
    written: dict[str, Any], connector: Connector, specification: Callable[[], Mapping[str, Any] | None]
) -> Filled:
    """The configuration with its references filled in; one without any is left as it is.

    `specification` is asked for the SPEC payload only when there are references; where it answers None, values are
    neither converted nor checked. Raises ReferenceFailed.
    """
    if not refers(written):
        # Filled in all the same: a text may stand for something that only looks like a reference.
        return fill(written)
    filled = fill(written, origin=connector.kind)
    payload = specification()
    if payload is None:
        return filled
    schema = payload.get("connectionSpecification") or {}
    configuration = converted(filled.configuration, written, schema)
    _check(replace(filled, configuration=configuration), payload, connector)
    return replace(filled, configuration=configuration)


def _check(filled: Filled, payload: Mapping[str, Any], connector: Connector) -> None:
    faults = faults_of_filled(filled.configuration, filled.written, payload, connector.short)
    if not faults:
        return
    redact = Redactor(filled.configuration, payload.get("connectionSpecification"), also=filled.secrets)
    told = "\n  ".join(redact(fault) for fault in faults)
    raise ReferenceFailed(
        f"with its references filled in, the configuration does not fit {connector.short}: {told}",
        hint="correct the value that the reference stands for; an environment variable is read when the daemon starts: "
        "resource-airbyte manage restart",
        failure_type="config_error",
        origin=connector.kind,
    )


def value_of(written: Mapping[str, Any], name: str) -> Any:
    """One value of a configuration as its connector will get it; None when it cannot be had now."""
    try:
        return fill({name: written.get(name)}).configuration[name]
    except ReferenceFailed:
        return None  # whoever starts the connector will say so
