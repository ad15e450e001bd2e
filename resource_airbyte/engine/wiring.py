"""Builds everything that the engine is made of, once, and passes it down."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resource_airbyte.engine.orchestrator.base import Orchestrator
from resource_airbyte.engine.store import Database
from resource_airbyte.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True)
class Engine:
    """The engine, built. `mark` is the beginning of the mark that all its child processes bear (see `process.MARK`)."""

    app: FastAPI
    orchestrator: Orchestrator
    db: Database
    mark: str

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()


def open_database(settings: Settings) -> Database:
    """The metadata database that the settings name; nothing is made in it yet."""
    if settings.database_url:
        return Database(settings.database_url)
    return Database.at(settings.data_dir / "airbyte.db")


def mark_of(data_dir: Path) -> str:
    """The same for every daemon of this directory, so that one can end what a killed one before it left running."""
    return hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
