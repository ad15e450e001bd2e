"""What is removed from the cache and what stays."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from resource_airbyte.engine.connectors import storage
from resource_airbyte.engine.connectors.environments import disk
from resource_airbyte.engine.connectors.environments.venv import Environments
from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.connectors.known.custom import custom
from resource_airbyte.engine.connectors.manifests import cdk
from resource_airbyte.engine.connectors.storage import Item, Storage
from resource_airbyte.settings import shipped

FAKER, POKEAPI = Catalog.load().find("source-faker"), Catalog.load().find("source-pokeapi")
LONG_AGO = 1_000_000_000.0


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(tmp_path / "connectors")


@pytest.fixture
def kept(tmp_path: Path, environments: Environments) -> Storage:
    return Storage(tmp_path, environments)


def make(target: Path, *, used: float = LONG_AGO) -> Path:
    (target / "bin").mkdir(parents=True)
    (target / "bin" / "python").symlink_to(sys.executable)
    disk.record(target, {})
    os.utime(target / disk.RECORD, (used, used))
    return target


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    for each in (path, path.parent):
        os.utime(each, (LONG_AGO, LONG_AGO))
    return path


def gone(items: list[Item]) -> list[Path]:
    return [item.path for item in items if not item.kept]


def test_what_a_source_needs_stays_and_other_versions_go(environments: Environments, kept: Storage) -> None:
    needed, other = make(environments.path(FAKER, "7.2.1")), make(environments.path(FAKER, "7.2.0"))
    former = make(needed.with_name("7.2.1-0123456789ab"))  # made for an interpreter that is not used any more
    removed = kept.prune([(FAKER, "7.2.1")])
    assert set(gone(removed)) == {other, former}
    assert [path for path in (needed, other, former) if path.exists()] == [needed]
    assert kept.prune([(FAKER, "7.2.1")]) == []


def test_a_dry_run_tells_the_same_and_removes_nothing(environments: Environments, kept: Storage) -> None:
    other = make(environments.path(FAKER, "7.2.0"))
    assert gone(kept.prune([], dry_run=True)) == [other]
    assert other.exists()
    assert gone(kept.prune([])) == [other]


def test_everything_goes_when_asked_to_but_what_was_just_used(environments: Environments, kept: Storage) -> None:
    idle, fresh = make(environments.path(FAKER, "7.2.1")), make(environments.path(FAKER, "7.2.0"))
    disk.touch(fresh)
    found = kept.prune([(FAKER, "7.2.1")], everything=True)
    assert gone(found) == [idle]
    assert [item.kept for item in found if item.kept] == ["it was used less than a minute ago"]


def test_the_library_of_manifests_stays_while_one_of_them_is_needed(
    environments: Environments, kept: Storage, tmp_path: Path
) -> None:
    library = make(environments.package_path(cdk.package(cdk.SHARED)))
    manifest = file(tmp_path / "manifests" / "source-pokeapi" / POKEAPI.version / "manifest.yaml").parent
    stale = file(tmp_path / "manifests" / "source-pokeapi" / "0.0.1" / "manifest.yaml").parent
    assert gone(kept.prune([(POKEAPI, POKEAPI.version)])) == [stale]
    assert set(gone(kept.prune([(FAKER, "7.2.1")]))) == {library, manifest}


def test_a_project_that_cannot_be_read_now_keeps_its_environments_and_the_rest_goes(
    environments: Environments, kept: Storage, tmp_path: Path
) -> None:
    sources = tmp_path / "source-mine"
    sources.mkdir()
    (sources / "pyproject.toml").write_text("[project]\nname = 'source-mine'\n")
    mine = custom("source", "1", "Mine", f"file://{sources}", "local")
    needed, other = make(environments.path(mine, "local")), make(environments.path(FAKER, "7.2.0"))
    (sources / "pyproject.toml").write_text("[proj")
    assert gone(kept.prune([(mine, "local")])) == [other]
    assert needed.exists()


def test_specifications_of_what_is_not_needed_go(kept: Storage, tmp_path: Path) -> None:
    needed, other = file(tmp_path / "specs/source-faker-7.2.1-abc.json"), file(tmp_path / "specs/source-x-1-abc.json")
    assert gone(kept.prune([(FAKER, "7.2.1")])) == [other]
    assert needed.exists()


def test_what_killed_installers_left_goes_and_their_target_need_not_be_there(
    environments: Environments, kept: Storage
) -> None:
    target = environments.path(FAKER, "7.2.1")
    half = make(target.with_name(f".{target.name}.4711"))
    assert gone(kept.prune([(FAKER, "7.2.1")])) == [target]
    assert not half.parent.exists()


def test_what_a_killed_fetch_of_a_manifest_left_goes_and_what_it_fetched_before_stays(
    kept: Storage, tmp_path: Path
) -> None:
    folder = tmp_path / "manifests" / "source-pokeapi"
    whole, chosen = file(folder / "0.3.46" / "manifest.yaml"), file(tmp_path / "manifests" / ".cdk" / "0123-7.39.1")
    left = [file(folder / ".0.3.46.abcdefgh" / "manifest.yaml").parent, folder / ".0.3.45._x2mnopq"]
    left[1].mkdir()
    found = {item.path: item.kept for item in kept.prune([(POKEAPI, "0.3.46")])}
    assert found == {left[0]: "", left[1]: "it was used less than a minute ago"}
    os.utime(left[1], (LONG_AGO, LONG_AGO))
    kept.prune([(POKEAPI, "0.3.46")])
    assert [path for path in left if path.exists()] == []
    assert whole.exists()
    assert chosen.exists()
    assert list(folder.iterdir()) == [whole.parent]


def test_environments_of_the_program_that_no_lock_file_asks_for_go_with_their_bytecode(
    kept: Storage, tmp_path: Path
) -> None:
    lock = shipped("config").parent / "requirements.lock"
    names = ["0123456789abcdef-linux-gnu-x86_64-cpython-311"]
    if lock.is_file():
        names.append(hashlib.sha256(lock.read_bytes()).hexdigest()[:16] + "-linux-gnu-x86_64-cpython-311")
    former, *current = [file(tmp_path / "env" / name / "pyvenv.cfg").parent for name in names]
    bytecode = file(tmp_path / "pycache" / former.relative_to("/") / "x.pyc")
    found = kept.prune([])
    assert former in gone(found)
    assert not former.exists()
    assert not bytecode.exists()
    assert all(path.exists() for path in current)
    assert Path(sys.prefix) not in gone(found)


def test_other_things_in_the_cache_are_left_alone(kept: Storage, tmp_path: Path) -> None:
    others = [file(tmp_path / name) for name in ("registry/registry.json", "env/notes", "manifests/code/digest", "x")]
    (tmp_path / "connectors").mkdir()
    assert kept.prune([], everything=True) == []
    assert all(path.exists() for path in others)


@pytest.fixture(autouse=True)
def only_this_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that runs the tests has environments of its own."""
    monkeypatch.setattr(storage, "_own_root", set)
