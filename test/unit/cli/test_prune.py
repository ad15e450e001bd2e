"""What `manage prune` prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.cli.prune import _text
from resource_airbyte.cli.result import Table
from resource_airbyte.model.storage import PruneRead, StoredItem


def item(kind: str, name: str, *, size: int = 1_000_000, kept: str | None = None) -> StoredItem:
    used = int(time.time()) - 7200
    return StoredItem(kind=kind, name=name, version="1.0", path="/x", size=size, used_at=used, kept=kept)


def test_what_goes_is_listed_with_its_last_use_and_specifications_in_one_line() -> None:
    items = [item("environment", "source-x"), item("specification", "a"), item("specification", "b")]
    table, _, total = _text(PruneRead(dry_run=True, freed=3_000_000, items=items))
    assert isinstance(table, Table)
    assert [tuple(row) for row in table.rows] == [
        ("source-x", "1.0", "2 h 0 min ago", "1.0 MB"),
        ("specifications", "2", "", "2.0 MB"),
    ]
    assert total == "Would free 3.0 MB."


def test_nothing_to_remove_is_said() -> None:
    items = [item("environment", "source-x", kept="process 7 runs from it")]
    assert _text(PruneRead(dry_run=False, freed=0, items=items)) == ["There is nothing to remove."]


def test_saying_what_would_go_installs_and_starts_nothing(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("AIRBYTE_DATA_DIR", str(data))
    asked = run("manage", "prune", "--dry-run")  # a server prunes when it starts
    assert (asked.code, "manage install" in asked.err, data.exists()) == (1, True, False)
