"""What the engine's own code can tell without a server: which connectors are known, and what is wrong with settings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resource_airbyte import process
from resource_airbyte.errors import RuntimeFault, by_code
from resource_airbyte.model.definitions import (
    DefinitionRead,
    DestinationDefinitionReadList,
    SourceDefinitionReadList,
)
from resource_airbyte.model.versions import RegistryRead
from resource_airbyte.settings import Settings

MODULE = "resource_airbyte.engine.main.connectors"
CHECK = "resource_airbyte.engine.main.check"
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


def check(settings: Settings) -> None:
    """Raise what an engine with these settings would not start for, as far as only the engine knows it."""
    if settings.jobs_per_connector:  # all else is seen to where settings are read
        refusal(
            process.run(process.python(CHECK), env=process.own_environment(settings.environment()), timeout=PATIENCE)
        )


def refusal(done: process.Completed) -> None:
    """Raise the error that a process of the engine has printed, if it has."""
    error = _last_json(done.stdout).get("error")
    if error:
        raise by_code(error["code"])(error["message"], hint=error.get("hint"))


def _last_json(output: bytes) -> dict[str, Any]:
    for line in reversed(output.splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                return found
    return {}
