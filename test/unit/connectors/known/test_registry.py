"""The registry of connectors, against a real HTTP server that serves a copy of its paths."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from registry_double import Site, entry, serving

from resource_airbyte.engine.connectors.known import facts, registry
from resource_airbyte.engine.connectors.known.catalog import Catalog
from resource_airbyte.engine.connectors.known.registry import REGISTRY, Registry
from resource_airbyte.errors import InvalidDocument, NotFound, RegistryUnreachable

FAKER = Catalog.load().find("source-faker")
NEW = "99999999-0000-4000-8000-000000000001"
# Deeper than any decoder goes, where it is skipped as well as where it is read.
DEEP = b'{"sources": [' + b"[" * 200_000 + b"]" * 200_000 + b'], "destinations": []}'

FAKER_ENTRY = entry(
    FAKER.definition_id,
    "Sample Data",
    "airbyte/source-faker",
    "99.0.0",
    language="python",
    remoteRegistries={"pypi": {"enabled": True, "packageName": "airbyte-source-faker"}},
    releases={
        "breakingChanges": {
            "99.0.0": {
                "message": "People have two names now.",
                "upgradeDeadline": "2026-12-31",
                "migrationDocumentationUrl": "https://docs.airbyte.com/integrations/sources/faker-migrations",
            }
        }
    },
)
NEW_ENTRY = entry(
    NEW,
    "Brand New",
    "airbyte/source-brand-new",
    "0.1.0",
    tags=["language:manifest-only"],
    connectorBuildOptions={"baseImage": "docker.io/airbyte/source-declarative-manifest:7.1.0@sha256:00"},
)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        found.publish(FAKER_ENTRY, NEW_ENTRY)
        yield found


@pytest.fixture
def asking(site: Site, tmp_path: Path) -> Registry:
    return Registry(site.url, tmp_path / "registry")


def test_before_it_was_asked_the_facts_of_the_package_count(asking: Registry, site: Site) -> None:
    assert asking.catalog().find("source-faker").version == FAKER.version
    assert (asking.as_of(), asking.checked(), site.asked) == (facts.shipped().as_of, None, [])


def test_a_refresh_brings_newer_versions_new_connectors_and_what_breaks(asking: Registry) -> None:
    found = asking.refresh()
    assert (found.as_of, found.new, found.left_out) == ("2026-11-20", ("source-brand-new",), 0)
    assert found.newer == (("source-faker", FAKER.version, "99.0.0"),)
    faker = asking.catalog().find("source-faker")
    assert (faker.version, faker.package, faker.definition_id) == ("99.0.0", FAKER.package, FAKER.definition_id)
    (change,) = faker.breaks(FAKER.version, "99.0.0")
    assert (change.message, change.deadline) == ("People have two names now.", "2026-12-31")
    assert change.url == "https://docs.airbyte.com/integrations/sources/faker-migrations"
    fresh = asking.catalog().get(NEW)
    assert (fresh.launcher, fresh.base, fresh.name) == ("manifest", "source-declarative-manifest:7.1.0", "Brand New")


def test_a_connector_that_is_no_longer_listed_stays_known(asking: Registry) -> None:
    asking.refresh()
    assert len(list(asking.catalog())) == len(list(Catalog.load())) + 1
    assert asking.catalog().find("destination-postgres").definition_id


def test_an_older_version_in_the_registry_does_not_take_the_place_of_a_newer_one(asking: Registry, site: Site) -> None:
    site.publish({**FAKER_ENTRY, "dockerImageTag": "1.0.0"})
    assert asking.refresh().newer == ()
    assert asking.catalog().find("source-faker").version == FAKER.version


def test_what_has_not_changed_is_not_sent_again(asking: Registry, site: Site) -> None:
    asking.refresh()
    again = asking.refresh()
    assert (again.as_of, again.new, again.newer) == ("2026-11-20", (), ())
    assert site.asked[-1][1]["if-none-match"] == '"one"'
    assert site.asked[-1][1]["if-modified-since"] == "Fri, 20 Nov 2026 10:00:00 GMT"


def test_what_one_process_has_learnt_another_one_knows(asking: Registry, site: Site, tmp_path: Path) -> None:
    other = Registry(site.url, tmp_path / "registry", offline=True)
    assert other.catalog().find("source-faker").version == FAKER.version
    asking.refresh()
    assert other.catalog().find("source-faker").version == "99.0.0"
    assert other.catalog() is other.catalog()


def test_the_facts_of_another_registry_do_not_count(asking: Registry, tmp_path: Path) -> None:
    asking.refresh()
    elsewhere = Registry("http://127.0.0.1:1/files", tmp_path / "registry")
    assert elsewhere.catalog().find("source-faker").version == FAKER.version
    assert elsewhere.checked() is None


def _refuses(site: Site) -> None:
    site.status = 500


def _is_garbage(site: Site) -> None:
    site.files[REGISTRY] = b"<html>sign in, please</html>"


def _is_empty(site: Site) -> None:
    site.publish()


def _is_mostly_unfit(site: Site) -> None:
    site.publish(FAKER_ENTRY, {"name": 1}, {"sourceDefinitionId": "x"})


def _is_cut(site: Site) -> None:
    site.cut = True


def _is_not_there(site: Site) -> None:
    site.files.clear()


@pytest.mark.parametrize("harm", [_refuses, _is_garbage, _is_empty, _is_mostly_unfit, _is_cut, _is_not_there])
def test_a_failed_refresh_is_told_and_changes_nothing(
    asking: Registry, site: Site, harm: Callable[[Site], None]
) -> None:
    asking.refresh()
    site.etag = '"two"'
    harm(site)
    with pytest.raises(RegistryUnreachable, match=r"^facts as of 2026-11-20; the registry could not be reached: "):
        asking.refresh()
    assert asking.catalog().find("source-faker").version == "99.0.0"
    checked = asking.checked()
    assert checked is not None
    assert checked.error


def test_a_registry_that_nobody_serves_is_told(tmp_path: Path, free_port: Callable[[], int]) -> None:
    nobody = Registry(f"http://127.0.0.1:{free_port()}", tmp_path)
    with pytest.raises(RegistryUnreachable, match="facts as of 2026-03-19; the registry could not be reached: http"):
        nobody.refresh()


@pytest.mark.parametrize("url", ["file:///etc", "connectors.example", "http://[bad"])
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(RegistryUnreachable):
        Registry(url, tmp_path).refresh()


def test_too_much_is_not_read_to_its_end(asking: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LARGEST", 100)
    with pytest.raises(RegistryUnreachable, match="is larger than"):
        asking.refresh()


def test_what_comes_too_slowly_is_not_waited_for(asking: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEADLINE", -1.0)
    with pytest.raises(RegistryUnreachable, match="did not come within"):
        asking.refresh()


def test_offline_it_is_never_asked(site: Site, tmp_path: Path) -> None:
    quiet = Registry(site.url, tmp_path, offline=True)
    with pytest.raises(RegistryUnreachable, match="offline"):
        quiet.refresh()
    with pytest.raises(RegistryUnreachable, match="offline"):
        quiet.fetch("metadata/x")
    assert (site.asked, quiet.due_in()) == ([], None)


def test_a_cache_that_cannot_be_written_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryUnreachable, match="cannot be kept in"):
        Registry(site.url, tmp_path / "file").refresh()


def test_a_damaged_cache_is_as_good_as_none(asking: Registry, tmp_path: Path) -> None:
    asking.refresh()
    for name in ("facts.json", "checked.json"):
        (tmp_path / "registry" / name).write_text('{"url": 1')
    assert asking.catalog().find("source-faker").version == FAKER.version
    assert asking.refresh().new == ("source-brand-new",)


def test_it_is_due_once_in_so_many_hours_also_after_a_failure(site: Site, tmp_path: Path) -> None:
    daily, never = Registry(site.url, tmp_path), Registry(site.url, tmp_path, hours=0)
    assert (daily.due_in(), never.due_in()) == (0.0, None)
    site.status = 503
    with pytest.raises(RegistryUnreachable):
        daily.refresh()
    due = daily.due_in()
    assert due is not None
    assert 86000 < due <= 86400


def test_facts_that_were_fetched_before_those_of_a_newer_program_only_add_to_them() -> None:
    old = facts.Facts("2025-01-01", [facts.Fact("Old", FAKER.definition_id, "source", "airbyte/source-faker", "99.0")])
    (merged,) = [each for each in facts.merged(facts.shipped(), old).connectors if each.id == FAKER.definition_id]
    assert (merged.name, merged.tag, merged.pypi) == ("Sample Data", "99.0", FAKER.package)


def test_what_another_version_of_this_program_kept_is_asked_for_anew(asking: Registry, tmp_path: Path) -> None:
    asking.refresh()
    path = tmp_path / "registry" / "facts.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "form": 0}))
    assert asking.catalog().find("source-faker").version == FAKER.version
    assert asking.refresh().new == ("source-brand-new",)


def test_a_password_in_the_address_is_sent_and_never_shown(site: Site, tmp_path: Path) -> None:
    secret = Registry(site.url.replace("//", "//me:hunter2@"), tmp_path)
    secret.refresh()
    assert site.asked[-1][1]["authorization"].startswith("Basic ")
    site.status = 500
    with pytest.raises(RegistryUnreachable) as caught:
        secret.refresh()
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "hunter2" not in f"{kept} {caught.value.message} {caught.value.details} {secret.url}"


def test_a_password_in_the_address_is_in_no_log_of_a_library(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    Registry(site.url.replace("//", "//me:hunter%402@"), tmp_path).refresh()
    assert site.asked[0][1]["authorization"] == "Basic " + b64encode(b"me:hunter@2").decode()
    assert site.url in caplog.text
    assert "hunter" not in caplog.text


@pytest.mark.parametrize("password", ["hunter2", "hun@ter2", "hun/ter2", "hun:ter2", ""])
def test_no_part_of_a_password_is_shown_however_it_is_written(password: str, tmp_path: Path) -> None:
    asked = Registry(f"http://me:{password}@127.0.0.1:1/files", tmp_path)
    assert asked.url == "http://127.0.0.1:1/files"
    with pytest.raises(RegistryUnreachable, match=r"(?s)\A(?!.*(hun|ter2))"):
        asked.refresh()


def test_a_sign_in_the_path_of_an_address_is_no_password(tmp_path: Path) -> None:
    assert Registry("http://127.0.0.1:1/a@b", tmp_path).url == "http://127.0.0.1:1/a@b"


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_told_as_an_unreachable_registry(
    proxy: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "HTTPS_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("all_proxy", proxy)
    with pytest.raises(RegistryUnreachable, match="the proxy that is set"):
        Registry(site.url, tmp_path).refresh()


def test_a_file_is_fetched_by_its_path(asking: Registry, site: Site) -> None:
    path = "metadata/airbyte/source-x/1.2.3/manifest.yaml"
    site.files[path] = b"version: 7.0.0\n"
    assert asking.fetch(path) == b"version: 7.0.0\n"
    with pytest.raises(NotFound):
        asking.fetch("metadata/airbyte/source-x/1.2.3/components.zip")
    site.status = 500
    with pytest.raises(RegistryUnreachable, match="answered 500"):
        asking.fetch(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dockerImageTag": "../../../etc"},
        {"dockerImageTag": "latest"},
        {"dockerImageTag": "1" * 5000},
        {"dockerRepository": "airbyte/../../x"},
        {"dockerRepository": "-e/x"},
        {"sourceDefinitionId": "1"},
        {"name": "a\x1b[2Jb"},
        {"name": ""},
        {"dockerImageTag": 3},
    ],
)
def test_an_entry_that_does_not_fit_is_left_out_and_counted(wrong: dict[str, Any]) -> None:
    document = {"sources": [FAKER_ENTRY, {**NEW_ENTRY, **wrong}], "destinations": []}
    found, left_out = facts.from_registry(json.dumps(document).encode(), "2026-11-20")
    assert ([each.name for each in found.connectors], left_out) == (["Sample Data"], 1)


def test_what_is_unfit_in_an_entry_is_left_out_of_it() -> None:
    odd = {
        **FAKER_ENTRY,
        "documentationUrl": "javascript:alert(1)",
        "supportLevel": "splendid",
        "remoteRegistries": {"pypi": {"enabled": True, "packageName": "--index-url=evil"}},
        "releases": {"breakingChanges": {"../x": {}, "9" * 5000: {}, "2.0.0": {"upgradeDeadline": "soon"}}},
    }
    found, _ = facts.from_registry(json.dumps({"sources": [odd], "destinations": []}).encode(), "2026-11-20")
    (fact,) = found.connectors
    assert (fact.docs, fact.support, fact.pypi) == ("", "community", None)
    assert [(each.version, each.deadline) for each in fact.changes()] == [("2.0.0", None)]


def test_a_tombstone_is_no_connector() -> None:
    document = {"sources": [FAKER_ENTRY, {**NEW_ENTRY, "tombstone": True}], "destinations": []}
    found, left_out = facts.from_registry(json.dumps(document).encode(), "2026-11-20")
    assert ([each.name for each in found.connectors], left_out) == (["Sample Data"], 0)


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff\xfe", b'{"sources": 1, "destinations": []}', DEEP])
def test_what_is_no_registry_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidDocument, match="no registry of connectors"):
        facts.from_registry(text, "2026-11-20")


def test_the_shipped_facts_are_written_as_they_are_read() -> None:
    assert json.loads(facts.document_of(facts.shipped()))["connectors"][0]["name"] == facts.shipped().connectors[0].name
