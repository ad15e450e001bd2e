"""Where manifests come from, what is kept of them, when their Python code may run. Nothing is fetched or started."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from resource_airbyte.engine.connectors.environments.venv import Environments
from resource_airbyte.engine.connectors.known.catalog import Catalog, Connector
from resource_airbyte.engine.connectors.manifests import cdk
from resource_airbyte.engine.connectors.manifests.cdk import SHARED, Choice
from resource_airbyte.engine.connectors.manifests.declarative import Declarative
from resource_airbyte.engine.connectors.manifests.manifest import Manifest, Manifests, _unpacked
from resource_airbyte.errors import (
    CustomCodeNotAllowed,
    InstallFailed,
    NotExecutable,
    NotFound,
    RegistryUnreachable,
    by_code,
)

POKEAPI = Catalog.load().find("source-pokeapi")
MANIFEST = b"version: 6.44.0\ntype: DeclarativeSource\n"
CODE = b"class Own:\n    pass\n"
METADATA = b"connectorBuildOptions:\n  baseImage: docker.io/airbyte/source-declarative-manifest:6.45.1@sha256:0\n"
PLACE = f"metadata/airbyte/source-pokeapi/{POKEAPI.version}"


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return content.getvalue()


class Registry:
    """The files of a registry, and which of them were asked for."""

    def __init__(self, **files: bytes) -> None:
        self.files = {f"{PLACE}/{name.replace('__', '.')}": content for name, content in files.items()}
        self.asked: list[str] = []

    def __call__(self, path: str) -> bytes:
        self.asked.append(path)
        if path not in self.files:
            raise NotFound(path)
        return self.files[path]


def unreachable(_: str) -> bytes:
    raise RegistryUnreachable("the setting `offline` is on")


def get(root: Path, fetch: Callable[[str], bytes], version: str = POKEAPI.version) -> Manifest:
    return Manifests(root, fetch, url="http://registry").get(POKEAPI, version, lambda _: None)


def local(path: Path) -> Connector:
    return Connector("id", "source", "Own", "file", "source-own", "local", "manifest", manifest=path)


def test_a_manifest_is_fetched_once_and_kept_with_its_digest(tmp_path: Path) -> None:
    registry = Registry(manifest__yaml=MANIFEST)
    found = get(tmp_path, registry)
    assert found.path == tmp_path / "source-pokeapi" / POKEAPI.version / "manifest.yaml"
    assert (found.path.read_bytes(), found.components) == (MANIFEST, None)
    assert hashlib.sha256(MANIFEST).hexdigest() in found.path.with_name("origin.json").read_text()
    assert get(tmp_path, unreachable) == found
    assert registry.asked == [f"{PLACE}/manifest.yaml", f"{PLACE}/components.zip"]
    assert [path.name for path in found.path.parent.parent.iterdir()] == [POKEAPI.version]


def test_what_was_damaged_is_fetched_again(tmp_path: Path) -> None:
    found = get(tmp_path, Registry(manifest__yaml=MANIFEST))
    found.path.write_bytes(b"changed")
    assert get(tmp_path, Registry(manifest__yaml=MANIFEST)).path.read_bytes() == MANIFEST


def test_python_code_comes_with_the_version_of_the_library_that_it_was_tested_with(tmp_path: Path) -> None:
    archive = zipped(components__py=CODE, other__txt=b"not wanted")
    found = get(tmp_path, Registry(manifest__yaml=MANIFEST, components__zip=archive, metadata__yaml=METADATA))
    assert found.components is not None
    assert found.components.read_bytes() == CODE
    assert found.tested_with == "6.45.1"
    assert not found.path.with_name("other.txt").exists()


def test_without_metadata_the_catalog_or_the_manifest_says_what_it_was_tested_with(tmp_path: Path) -> None:
    archive = zipped(components__py=CODE)
    base = str(POKEAPI.base).rpartition(":")[2]
    assert get(tmp_path, Registry(manifest__yaml=MANIFEST, components__zip=archive)).tested_with == base
    (tmp_path / "own.yaml").write_bytes(MANIFEST)
    (tmp_path / "components.py").write_bytes(CODE)
    assert Manifests(tmp_path, unreachable).get(local(tmp_path / "own.yaml"), "local", print).tested_with == "6.44.0"


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (b"no archive", "cannot be unpacked"),
        (zipped(other__py=CODE), "cannot be unpacked"),
        (zipped(components__py=CODE)[:-30], "cannot be unpacked"),
        (b"x" * ((4 << 20) + 1), "larger than 4 MB"),
    ],
    ids=["garbage", "without components.py", "cut off", "large"],
)
def test_an_archive_that_cannot_be_used_is_told_and_nothing_is_kept(tmp_path: Path, archive: bytes, said: str) -> None:
    with pytest.raises(InstallFailed, match=said):
        get(tmp_path, Registry(manifest__yaml=MANIFEST, components__zip=archive))
    assert not (tmp_path / "source-pokeapi").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_is_damaged_anywhere_is_told_as_one(method: int) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("components.py", CODE * 20)
        archive.writestr("ü.txt", b"")
    whole, chosen = content.getvalue(), random.Random(7)
    for at in range(len(whole)):
        damaged = whole[:at] + bytes([chosen.randrange(256)]) + whole[at + 1 :]
        with contextlib.suppress(InstallFailed):
            _unpacked(POKEAPI, damaged, "source-pokeapi 1")


def test_an_archive_that_swells_is_not_unpacked(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("components.py", b"#" * (5 << 20))
    with pytest.raises(InstallFailed, match=r"components\.py of .* is larger than 4 MB"):
        get(tmp_path, Registry(manifest__yaml=MANIFEST, components__zip=content.getvalue()))


def test_a_version_that_the_registry_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match=r"no manifest of source-pokeapi 9\.9\.9") as caught:
        get(tmp_path, Registry(), "9.9.9")
    assert POKEAPI.version in str(caught.value.hint)


def test_a_registry_that_cannot_be_reached_says_what_else_there_is(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match="not in the cache, and the registry cannot be reached") as caught:
        get(tmp_path, unreachable)
    assert "AIRBYTE_REGISTRY_URL" in str(caught.value.hint)
    assert caught.value.failure_type == "transient_error"


@pytest.mark.parametrize("version", ["../1.0", "latest", "", "1/../../x", "1..2"])
def test_only_a_version_becomes_a_path(tmp_path: Path, version: str) -> None:
    with pytest.raises(NotExecutable, match="names no manifest"):
        get(tmp_path, Registry(), version)


def test_a_manifest_of_the_users_own_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotExecutable, match="is not there"):
        Manifests(tmp_path, unreachable).get(local(tmp_path / "gone.yaml"), "local", print)


def declarative(root: Path, *, allowed: bool = False) -> Declarative:
    return Declarative(root / "manifests", Environments(root / "env"), unreachable, allow_custom_code=allowed)


def test_python_code_that_is_not_allowed_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_bytes(MANIFEST)
    (tmp_path / "components.py").write_bytes(CODE)
    with pytest.raises(CustomCodeNotAllowed) as caught:
        declarative(tmp_path).command(local(tmp_path / "manifest.yaml"), "local", print)
    assert "source-own local brings 2 lines of Python code of its own" in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert "AIRBYTE_ALLOW_CUSTOM_CODE=true resource-airbyte manage restart" in str(caught.value.hint)
    assert by_code(caught.value.code) is CustomCodeNotAllowed


def test_the_fingerprint_changes_with_the_users_files(tmp_path: Path) -> None:
    path, seen = tmp_path / "manifest.yaml", set[str]()
    for content, code in ((MANIFEST, None), (MANIFEST + b"#", None), (MANIFEST, CODE), (MANIFEST, CODE + b"#")):
        path.write_bytes(content)
        if code is not None:
            path.with_name("components.py").write_bytes(code)
        seen.add(declarative(tmp_path).fingerprint(local(path), "local"))
    assert len(seen) == 4


def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_bytes(MANIFEST)
    run, read = declarative(tmp_path), Path.read_bytes

    def closed(self: Path) -> bytes:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(NotExecutable, match=f"{path} cannot be read: Permission denied"):
        run.fingerprint(local(path), "local")


class Trials:
    """Stands in for loading code: which versions of the library can, and which were tried."""

    def __init__(self, *loads: str) -> None:
        self.loads, self.tried = loads, list[str]()

    def __call__(self, choice: Choice, version: str, components: Path, report: object) -> str:
        self.tried.append(version)
        return "" if version in self.loads else f"ImportError with {version}"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "components.py"
    path.write_bytes(CODE)
    return path


@pytest.mark.parametrize(
    ("tested", "loads", "chosen"),
    [
        ("6.45.0", (SHARED, "6.45.0"), SHARED),
        ("6.45.0", ("6.45.0",), "6.45.0"),
        (None, (SHARED,), SHARED),
        ("99.0.0", ("99.0.0",), "99.0.0"),
    ],
)
def test_code_runs_with_the_shared_library_unless_only_its_own_can_load_it(
    tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch, tested: str | None, loads: tuple[str, ...], chosen: str
) -> None:
    trials = Trials(*loads)
    monkeypatch.setattr(cdk.Choice, "_complaint", lambda *given: trials(*given))
    manifest, choice = Manifest(code, code, tested), Choice(tmp_path / "kept", Environments(tmp_path))
    assert choice.version(POKEAPI, manifest, print) == chosen
    tried = len(trials.tried)
    assert choice.version(POKEAPI, manifest, print) == chosen
    assert len(trials.tried) == tried  # what was found is kept


def test_code_that_nothing_can_load_is_told(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials()
    monkeypatch.setattr(cdk.Choice, "_complaint", lambda *given: trials(*given))
    with pytest.raises(InstallFailed, match=rf"with airbyte-cdk {SHARED} and 6\.45\.0: ImportError with {SHARED}"):
        Choice(tmp_path / "kept", Environments(tmp_path)).version(POKEAPI, Manifest(code, code, "6.45.0"), print)


def test_a_manifest_without_code_is_never_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdk.Choice, "_complaint", None)
    chosen = Choice(tmp_path, Environments(tmp_path)).version(POKEAPI, Manifest(tmp_path, None, "6.1.0"), print)
    assert chosen == SHARED
