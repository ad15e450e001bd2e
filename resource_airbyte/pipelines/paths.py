"""Which configuration keys are paths of the local file system.

Such a path, when relative, is meant relative to the content file that names it: the file then works from any
directory, and the daemon, whose own directory is another one, gets an absolute path. Each line of the table needs a
reason, because to a connector that runs in a container a path means something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resource_airbyte.model.references import SCHEMES

# repository → key: why it is a path here
LOCAL = {
    # Our own DuckDB writer opens the file itself; `md:` and `motherduck:` name a service, `:memory:` no file at all.
    "airbyte/destination-duckdb": ("destination_path",),
    # Our own writers of files and of SQLite databases do so as well.
    "resource-airbyte/destination-local-files": ("destination_path",),
    "airbyte/destination-sqlite": ("destination_path",),
    # The file source reads `url` from this machine when its provider's storage is "local".
    "airbyte/source-file": ("url",),
}
# A reference is filled in by the engine alone: nobody knows yet whether the path is a relative one.
_NOT_PATHS = ("md:", "motherduck:", ":memory:", *(f"${{{scheme}:" for scheme in SCHEMES))


def absolute(repository: str, configuration: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """The configuration with its local paths made absolute: `~` is the user's home, others start at `base`."""
    result = dict(configuration)
    if repository == "airbyte/source-file" and _storage(configuration) != "local":
        return result
    for key in LOCAL.get(repository, ()):
        value = result.get(key)
        if isinstance(value, str) and value and not value.startswith(_NOT_PATHS):
            result[key] = str(base.absolute() / Path(value).expanduser())
    return result


def _storage(configuration: Mapping[str, Any]) -> Any:
    provider = configuration.get("provider")
    return provider.get("storage") if isinstance(provider, Mapping) else None
