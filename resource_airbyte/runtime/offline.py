"""What can be told without a server: the connectors that are known, as the engine's own code reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from resource_airbyte import process
from resource_airbyte.errors import RuntimeFault
from resource_airbyte.model.definitions import (
    DefinitionRead,
    DestinationDefinitionReadList,
    SourceDefinitionReadList,
)
from resource_airbyte.model.versions import RegistryRead
from resource_airbyte.settings import Settings

MODULE = "resource_airbyte.engine.main.connectors"
# Seconds: reading takes one, asking the registry may take two minutes.
PATIENCE = 180.0


@dataclass(frozen=True)
class Connectors:
    """The definitions by kind. `error`: why the registry could not be asked, if it was to be."""

    definitions: dict[str, Sequence[DefinitionRead]]
    registry: RegistryRead
    error: str | None


def connectors(settings: Settings, *, refresh: bool = False) -> Connectors:
    """Ask a short-lived process of the engine; `refresh` lets it ask the registry first."""
    words = ["--refresh"] if refresh else []
    try:
        done = process.run(
            process.python(MODULE, *words), env=process.own_environment(settings.environment()), timeout=PATIENCE
        )
    except process.DeadlineExceeded as error:
        raise RuntimeFault(f"reading the connectors took longer than {error.seconds:g} s") from None
    if done.code != 0:
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RuntimeFault(f"the connectors could not be read: {''.join(tail) or f'exit code {done.code}'}")
    answer = json.loads(done.stdout)
    return Connectors(
        {
            "source": SourceDefinitionReadList.model_validate(answer["source"]).source_definitions,
            "destination": DestinationDefinitionReadList.model_validate(answer["destination"]).destination_definitions,
        },
        RegistryRead.model_validate(answer["registry"]),
        answer.get("error"),
    )
