"""Our wire shapes against Airbyte's OpenAPI document, where it lies beside the checkout."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

import resource_airbyte.model
from resource_airbyte.model.base import Wire

OPENAPI = Path(__file__).resolve().parents[3].parent / "shared" / "airbyte" / "config.yaml"

# Shapes of our own, or the common part of two official ones.
OURS = {
    "Wire",
    "ActorCreate",
    "ActorRead",
    "ActorUpdate",
    "ConnectionOptions",
    "ConnectionPreview",
    "ConnectionPreviewRequest",
    "ConnectionSyncRequest",
    "Cron",
    "DefinitionCreate",
    "DefinitionRead",
    "DefinitionUpdate",
    "DestinationSpecificationRequest",
    "DestinationVersionRequestBody",
    "KeyRotationRead",
    "NewerVersion",
    "PartialActorUpdate",
    "ProgressRead",
    "PruneRead",
    "PruneRequest",
    "RegistryRead",
    "SourceSpecificationRequest",
    "SourceVersionRequestBody",
    "SpecificationRead",
    "StateHistoryRead",
    "StateHistoryRequest",
    "StatePoint",
    "StatePointRequest",
    "StateRestoreRequest",
    "StoredItem",
    "StreamUpdate",
    "TablePreview",
}
# Required by the document, but not by the servers in use, which leave it out.
LENIENT = {
    ("InstanceConfigurationResponse", "licenseStatus"),
    ("SourceRead", "createdAt"),
    ("DestinationRead", "createdAt"),
    ("DestinationDefinitionRead", "documentationUrl"),
    ("AirbyteStream", "jsonSchema"),
    # The registry alone knows deadlines.
    ("ActorDefinitionBreakingChange", "upgradeDeadline"),
    ("ActorDefinitionVersionBreakingChanges", "minUpgradeDeadline"),
}
# Fields of our own on official shapes.
EXTRA = {
    "waitSeconds",
    "waits",
    "configurationChanged",
    "onlyIfChanged",
    "details",
    "dockerImageTag",
    "dockerRepository",
    "errorId",
    "installed",
    "latestVersion",
    "launcher",
    "metadata",
    "runnable",
    "streams",
    "schemaChange",
    "supportsRefreshes",
    "whyNot",
}


def name_of(shape: type[Wire]) -> str:
    return shape.__name__


def shapes() -> Iterator[type[Wire]]:
    for module in pkgutil.iter_modules(resource_airbyte.model.__path__):
        loaded = importlib.import_module(f"resource_airbyte.model.{module.name}")
        for _, shape in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(shape, Wire) and shape.__module__ == loaded.__name__:
                yield shape


def wire_names(shape: type[Wire]) -> dict[str, bool]:
    """Wire name -> required."""
    return {
        str(field.serialization_alias or field.alias or name): field.is_required()
        for name, field in shape.model_fields.items()
    }


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    if not OPENAPI.exists():
        pytest.skip(f"needs Airbyte's OpenAPI document at {OPENAPI}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with OPENAPI.open() as file:
        schemas: dict[str, Any] = yaml.load(file, loader)["components"]["schemas"]
    return schemas


@pytest.mark.parametrize("shape", sorted(shapes(), key=name_of), ids=name_of)
def test_a_shape_has_the_fields_of_its_openapi_schema(shape: type[Wire], schemas: dict[str, Any]) -> None:
    if shape.__name__ in OURS:
        return
    official = schemas[shape.__name__]
    known = set(official.get("properties", {}))
    # AirbyteStream requires "json_schema", a property it does not have: the document means jsonSchema.
    required = {name if name in known else to_camel(name) for name in official.get("required", [])}
    fields = wire_names(shape)
    assert required <= set(fields), "a required field is missing"
    assert set(fields) - EXTRA <= known, "a field is misspelled, or ours and not declared so"
    ours = {name for name, needed in fields.items() if needed}
    assert ours <= required, "we ask for what the document does not"
    assert {name for name in required - ours if (shape.__name__, name) not in LENIENT} == set()


def test_every_shape_declared_as_ours_exists() -> None:
    assert {shape.__name__ for shape in shapes()} >= OURS
