"""What attempts and probes work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...settings import Settings
from ..connectors.known.catalog import Catalog
from ..connectors.launch import Launchers
from ..connectors.specs import Specs
from ..secrets import Box
from ..store.database import Database


@dataclass(frozen=True)
class Tools:
    """What every attempt needs, wired once. `catalog` is asked anew each time: custom connectors may have come."""

    settings: Settings
    db: Database
    box: Box
    catalog: Callable[[], Catalog]
    launchers: Launchers
    specs: Specs
    log_dir: Path
    mark: str
