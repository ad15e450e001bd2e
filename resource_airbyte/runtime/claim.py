"""Which runtime a data directory belongs to: one at a time, from its install to the removal of its data."""

from __future__ import annotations

import os

from resource_airbyte.errors import Conflict, NotInstalled, ResourceError
from resource_airbyte.runtime.datadir import DataDir

INSTALL = "resource-airbyte manage install"


def of(data: DataDir) -> str | None:
    """The runtime that was installed in this directory, or whose data was kept there; None where there is none."""
    try:
        marker = data.marker()
    except ResourceError:  # the verb that is asked for says it, or repairs it
        return "compose" if os.path.exists(data.path / "stack.env") else None  # may be closed to us
    return None if marker is None else marker.runtime


def installed(data: DataDir, name: str) -> bool:
    """Whether this very runtime is installed there."""
    marker = data.marker()
    return marker is not None and not marker.kept and not marker.half and marker.runtime == name


def check_free(data: DataDir, name: str) -> None:
    """Raise Conflict where another runtime is installed, or has left its data."""
    found = of(data)
    if found is None or found == name:
        return
    marker = data.marker()
    what = "data of" if marker is not None and marker.kept else ""
    raise Conflict(
        f"{data.path} holds {f'{what} ' if what else ''}the {found} runtime, and cannot hold two.",
        hint=f"set AIRBYTE_DATA_DIR to another directory, or remove it: "
        f"resource-airbyte manage uninstall --runtime {found}",
    )


def where(data: DataDir, name: str) -> str:
    """Why this runtime is not installed there, as a sentence without its end."""
    found = of(data) if data.marker_file.exists() else None
    if found == name and (half := _half(data)):
        return f"the {half} of resource-airbyte in {data.path} was cut short"
    if found in (None, name):
        return f"resource-airbyte is not installed in {data.path}"
    return f"the {name} runtime is not installed in {data.path}; the {found} runtime is"


def hint(data: DataDir, name: str) -> str:
    """What to type then."""
    found = of(data) if data.marker_file.exists() else None
    if found not in (None, name):
        return "leave --runtime and AIRBYTE_RUNTIME out, or choose another AIRBYTE_DATA_DIR"
    other = "" if name == "embedded" else f" --runtime {name}"
    if found is not None and (half := _half(data)):
        return f"bring it to its end: resource-airbyte manage {half}{other}"
    return f"install it with: {INSTALL}{other}"


def _half(data: DataDir) -> str | None:
    """What was begun there and has not come to its end; nothing, where the marker cannot be read."""
    try:
        marker = data.marker()
    except ResourceError:
        return None
    return None if marker is None else marker.half


def not_installed(data: DataDir, name: str) -> NotInstalled:
    return NotInstalled(f"{where(data, name)}.", hint=hint(data, name))
