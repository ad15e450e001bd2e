"""Connectors by command: a registry on the loopback, a daemon, and small packages that uv finds in a directory.

The connector `source-grow` exists in versions that differ in what an upgrade may meet: a breaking change that fits, a
configuration that no longer fits, a check and a discovery that fail.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from registry_double import Site, entry, serving

from resource_airbyte.cli.app import main

GROW = "99999999-0000-4000-8000-00000000aaaa"
VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0", "3.0.0")
PROGRAM = """
import json, sys
VERSION = {version!r}
KEY = "amount" if VERSION == "3.0.0" else "count"
FIELDS = {{"id": {{"type": "integer"}}, "name": {{"type": "string"}}}}
if VERSION == "2.0.0":
    FIELDS = {{"id": {{"type": "string"}}, "nick": {{"type": "string"}}}}


def say(kind, key, payload):
    print(json.dumps({{"type": kind, key: payload}}), flush=True)


def streams():
    for name in ("leaves",) if VERSION == "2.0.0" else ("leaves", "roots"):
        yield {{
            "name": name,
            "json_schema": {{"type": "object", "properties": FIELDS}},
            "supported_sync_modes": ["full_refresh"],
            "source_defined_primary_key": [["id"]],
        }}


def main():
    command = sys.argv[1]
    if command == "spec":
        schema = {{"type": "object", "required": [KEY], "properties": {{KEY: {{"type": "integer"}}}}}}
        schema["properties"]["token"] = {{"type": "string", "airbyte_secret": True}}
        say("SPEC", "spec", {{"connectionSpecification": schema}})
    elif command == "check":
        token = json.load(open(sys.argv[sys.argv.index("--config") + 1])).get("token")
        good = VERSION != "1.1.0" and token == "s3cret"
        status = "SUCCEEDED" if good else "FAILED"
        say("CONNECTION_STATUS", "connectionStatus", {{"status": status, "message": "no sun"}})
    elif command == "discover" and VERSION == "1.2.0":
        sys.exit("the ground is frozen")
    elif command == "discover":
        say("CATALOG", "catalog", {{"streams": list(streams())}})
"""
PIPELINE = """
name: garden
source: {name: plant, connector: source-grow, version: 1.0.0, config: {count: 3, token: s3cret}}
destination: {name: soil, connector: destination-duckdb, config: {destination_path: ./soil.duckdb}}
sync: {streams: [leaves, roots]}
"""


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


def wheel(directory: Path, name: str, version: str, script: str, module: str, text: str) -> None:
    """A package of one module and one command, built by hand: building one properly takes seconds."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{module}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{script} = {module}:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(directory / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)


def change(message: str) -> dict[str, str]:
    return {
        "message": message,
        "upgradeDeadline": "2099-01-31",
        "migrationDocumentationUrl": "https://example.invalid/m",
    }


def grow(version: str) -> dict[str, Any]:
    """The registry's entry of the connector, when this version is its newest."""
    return entry(
        GROW,
        "Grow",
        "airbyte/source-grow",
        version,
        language="python",
        remoteRegistries={"pypi": {"enabled": True, "packageName": "airbyte-source-grow"}},
        releases={"breakingChanges": {"2.0.0": change("Names are gone."), "3.0.0": change("Counts are amounts.")}},
    )


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as found:
        found.publish(grow("1.0.0"))
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Path]:
    """The directory of one instance for all tests of this file, which asks the registry of its own accord."""
    directory = tmp_path_factory.mktemp("connectors")
    (directory / "wheels").mkdir()
    for version in VERSIONS:
        text = PROGRAM.format(version=version)
        wheel(directory / "wheels", "airbyte-source-grow", version, "source-grow", "source_grow", text)
    wheel(directory / "wheels", "own-thing", "1.0.0", "source-thing", "own_thing", PROGRAM.format(version="1.0.0"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("AIRBYTE_DATA_DIR", str(directory / "data"))
        patch.setenv("AIRBYTE_CACHE_DIR", str(directory / "cache"))
        patch.setenv("AIRBYTE_REGISTRY_URL", site.url)
        patch.setenv("AIRBYTE_REGISTRY_REFRESH_HOURS", "24")
        patch.setenv("UV_FIND_LINKS", str(directory / "wheels"))
        patch.setenv("UV_OFFLINE", "1")
        yield directory
        main(["manage", "stop", "--force"])


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def go(*words: str) -> Ran:
        code = main(list(words))
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return go


@pytest.fixture
def garden(run: Run, home: Path, site: Site) -> None:
    """The pipeline as it is before an upgrade."""
    (home / "garden.yaml").write_text(PIPELINE)
    site.publish(grow("3.0.0"))
    site.etag = '"grown"'
    assert run("manage", "start").code in (0, 1, 2)
    if "plant" in run("content", "list", "--type", "sources").out:
        run("content", "upgrade", "--name", "plant", "--to", "1.0.0", "--yes")
    done = run("content", "add", "--file", "garden.yaml")
    assert done.code in (0, 2), done.err


def version_of(run: Run) -> str:
    rows = json.loads(run("content", "list", "--type", "sources", "--format", "json").out)["sources"]
    found: str = next(row["version"] for row in rows if row["name"] == "plant")
    return found


# ── the list ──


def test_without_a_server_the_list_says_what_this_machine_knows(run: Run, home: Path) -> None:
    listed = run("content", "list", "--type", "connectors", "--filter", "postgres")
    assert listed.code == 0
    assert "source-postgres" in listed.out
    assert not (home / "data").exists()
    assert run("content", "list", "--type", "connectors", "--filter", "grow").out == ""


def test_a_refresh_without_a_server_is_kept_and_found_by_the_server_that_starts(run: Run, site: Site) -> None:
    refreshed = run("content", "list", "--type", "connectors", "--filter", "grow", "--refresh")
    assert "facts as of 2026-11-20: 1 new connectors" in refreshed.err
    assert run("manage", "install").code == 0
    assert run("manage", "start").code == 0
    asked = len(site.asked)
    found = json.loads(run("content", "list", "--type", "connectors", "--filter", "grow", "--format", "json").out)
    assert [(row["connector"], row["launcher"], row["runs_here"]) for row in found["connectors"]] == [
        ("source-grow", "venv", True)
    ]
    assert found["facts"]["asOf"] == "2026-11-20"
    assert len(site.asked) == asked, "the server asks once a day, and the day has begun"


def test_a_registry_that_does_not_answer_is_told_and_the_list_is_shown(run: Run, site: Site) -> None:
    site.status = 503
    listed = run("content", "list", "--type", "connectors", "--filter", "grow", "--refresh")
    site.status = 200
    assert listed.code == 0
    assert "source-grow" in listed.out
    assert "facts as of 2026-11-20; the registry could not be reached: " in listed.err


# ── upgrades ──


def test_what_an_upgrade_would_break_is_shown_and_nothing_is_done(run: Run, garden: None) -> None:
    shown = run("content", "upgrade", "--name", "plant", "--to", "2.0.0", "--dry-run")
    assert shown.code == 0
    assert "source plant: source-grow 1.0.0 could go to 2.0.0" in shown.out
    assert "breaking change 2.0.0 (upgrade by 2099-01-31): Names are gone." in shown.out
    assert "https://example.invalid/m" in shown.out
    assert "Counts are amounts" not in shown.out
    assert version_of(run) == "1.0.0"


def test_a_breaking_change_is_not_taken_without_a_word(run: Run, garden: None) -> None:
    refused = run("content", "upgrade", "--name", "plant", "--to", "2.0.0")
    assert (refused.code, version_of(run)) == (1, "1.0.0")
    assert "1 breaking change, and there is no terminal" in refused.err


def test_an_upgrade_renews_the_streams_of_connections_and_says_how_to_go_back(run: Run, garden: None) -> None:
    done = run("content", "upgrade", "--name", "plant", "--to", "2.0.0", "--yes")
    assert done.code == 0, done.err
    assert "connection garden: stream roots: removed" in done.out
    assert "connection garden: stream leaves: fields new nick; gone name; changed id" in done.out
    assert "content upgrade --type source --name plant --to 1.0.0" in done.err
    assert version_of(run) == "2.0.0"
    connection = json.loads(run("content", "get", "--name", "garden", "--format", "json").out)
    (stream,) = connection["syncCatalog"]["streams"]
    assert set(stream["stream"]["jsonSchema"]["properties"]) == {"id", "nick"}
    assert run("content", "upgrade", "--name", "plant", "--to", "2.0.0").code == 2
    assert run("content", "upgrade", "--name", "plant", "--to", "1.0.0", "--yes").code == 0
    assert version_of(run) == "1.0.0"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("3.0.0", "its configuration does not fit source-grow 3.0.0"),
        ("1.1.0", "the check of source-grow 1.1.0 failed: no sun"),
        ("1.2.0", "the ground is frozen"),
        ("7.0.0", "there is no such version"),
    ],
)
def test_a_version_that_cannot_work_leaves_the_old_one(run: Run, garden: None, version: str, said: str) -> None:
    failed = run("content", "upgrade", "--name", "plant", "--to", version, "--yes")
    assert failed.code == 1
    assert "source plant stays at 1.0.0" in failed.err
    assert said in failed.err
    assert version_of(run) == "1.0.0"
    connection = json.loads(run("content", "get", "--name", "garden", "--format", "json").out)
    assert [each["stream"]["name"] for each in connection["syncCatalog"]["streams"]] == ["leaves", "roots"]


def test_without_the_check_a_version_is_taken_as_long_as_the_configuration_fits(run: Run, garden: None) -> None:
    assert run("content", "upgrade", "--name", "plant", "--to", "1.1.0", "--no-check").code == 0
    assert version_of(run) == "1.1.0"


def test_all_goes_on_after_a_failure_and_ends_with_it(run: Run, garden: None) -> None:
    ran = run("content", "upgrade", "--all", "--yes", "--format", "json")
    found = {each["name"]: each["status"] for each in json.loads(ran.out)["upgrades"]}
    assert (ran.code, found) == (1, {"plant": "failed", "soil": "unchanged"})
    assert version_of(run) == "1.0.0"


def test_what_could_be_upgraded_is_shown_without_a_name(run: Run, garden: None) -> None:
    shown = run("content", "upgrade")
    assert shown.code == 0
    assert "source plant: source-grow 1.0.0 could go to 3.0.0" in shown.out
    assert "soil" not in shown.out


def test_what_is_part_of_the_program_has_nothing_to_upgrade(run: Run, garden: None) -> None:
    idle = run("content", "upgrade", "--name", "soil")
    assert idle.code == 2
    assert "is part of this program and has its version" in idle.out
    assert run("content", "upgrade", "--name", "nobody").code == 2
    assert run("content", "upgrade", "--name", "soil", "--to", "latest").code == 1


# ── connectors of one's own ──


def test_a_package_with_a_command_of_its_own_is_a_connector(run: Run, garden: None) -> None:
    words = ("content", "add", "--type", "connector", "--package", "own-thing==1.0.0", "--command", "source-thing")
    added = run(*words)
    assert "connector source-thing: created" in added.out, added.err
    assert run(*words).code == 2
    source = "{name: thing, type: source, connector: source-thing, config: {count: 1, token: s3cret}}"
    Path("thing.yaml").write_text(source)
    made = run("content", "add", "--file", "thing.yaml")
    assert made.code == 0, made.err
    refused = run("content", "remove", "--type", "connector", "--name", "source-thing", "--force")
    assert "is in use by 'thing'" in refused.err
    assert run("content", "remove", "--name", "thing", "--force").code == 0
    assert run("content", "remove", "--type", "connector", "--name", "source-thing", "--force").code == 0


def test_a_program_named_in_a_content_file_becomes_a_connector_and_is_discovered_anew(run: Run, garden: None) -> None:
    program = Path("source-local.py")
    program.write_text("#!/usr/bin/env python3\n" + PROGRAM.format(version="1.0.0") + "\nmain()\n")
    program.chmod(0o755)
    Path("local.yaml").write_text(
        PIPELINE.replace("source-grow, version: 1.0.0", "./source-local.py")
        .replace("plant", "l")
        .replace("garden", "lawn")
    )
    made = run("content", "add", "--file", "local.yaml")
    assert made.code == 0, made.err
    assert "connector source-local: created" in made.out
    assert run("content", "add", "--file", "local.yaml").code == 2
    program.write_text(program.read_text().replace("'1.0.0'", "'2.0.0'"))
    Path("local.yaml").write_text(Path("local.yaml").read_text().replace("leaves, roots", "leaves, roots, twigs"))
    changed = run("content", "add", "--file", "local.yaml")
    assert "the source has no stream 'roots'" in changed.err, changed
    assert "the source has: leaves" in changed.err
    assert run("content", "upgrade", "--name", "l").code == 2


def test_what_get_writes_of_a_connector_add_takes_back(run: Run, garden: None) -> None:
    assert run("content", "add", "--type", "connector", "--image", "example.invalid/source-bxx:1.5").code == 0
    assert run("content", "get", "--type", "connector", "--name", "source-bxx", "--output", "box.yaml").code == 0
    assert run("content", "add", "--file", "box.yaml").code == 2
    assert run("content", "remove", "--type", "connector", "--name", "source-bxx", "--force").code == 0
    again = run("content", "add", "--file", "box.yaml")
    assert again.code == 0
    assert "it cannot run here: published as a container image only" in again.err
    listed = run("content", "list", "--type", "connectors", "--filter", "own image")
    assert "source-bxx" in listed.out


def test_the_server_asks_the_registry_of_its_own_accord_when_a_day_has_passed(run: Run, home: Path, site: Site) -> None:
    run("manage", "stop", "--force")
    (home / "cache" / "registry" / "checked.json").unlink()
    site.publish(grow("2.0.0"))
    site.etag = '"later"'
    before = len(site.asked)
    assert run("manage", "start").code == 0
    assert site.wait_for(before + 1), "the server has not asked"
