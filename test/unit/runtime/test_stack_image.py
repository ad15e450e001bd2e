"""What is sent to the engine to build our image, and the name that it gets."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from resource_airbyte import __version__
from resource_airbyte.errors import DataDirUnusable, RuntimeFault
from resource_airbyte.runtime import image


@pytest.fixture
def context(tmp_path: Path) -> dict[str, Path]:
    files = {"Dockerfile": "FROM x", "app/resource_airbyte/a.py": "a = 1\n", "app/config/schema.json": "{}"}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {name: tmp_path / name for name in files}


def test_the_program_is_sent_whole_and_nothing_else() -> None:
    files = image.files()
    assert {"Dockerfile", "requirements.lock", "app/resource_airbyte/__init__.py", "app/config/schema.json"} <= set(
        files
    )
    assert "app/docker/compose.yaml" in files
    assert any(name.startswith("app/test/phases/") for name in files)
    tops = {"/".join(name.split("/")[:2]) for name in files}
    assert tops == {"Dockerfile", "requirements.lock", "app/resource_airbyte", "app/config", "app/docker", "app/test"}
    assert not [name for name in files if "__pycache__" in name or name.endswith(".pyc") or "/shipped/" in name]


def test_the_name_changes_with_the_contents_and_the_base_alone(context: dict[str, Path]) -> None:
    name = image.reference(context, "base:1")
    assert name.startswith(f"resource-airbyte:{__version__}-")
    assert image.built(name)
    assert not image.built(f"registry.example/{name}")
    assert not image.built("resource-airbyte:mine")
    (context["app/resource_airbyte/a.py"]).touch()
    assert image.reference(context, "base:1") == name
    assert image.reference(context, "base:2") != name
    context["app/resource_airbyte/a.py"].write_text("a = 2\n")
    changed = image.reference(context, "base:1")
    assert changed != name
    context["app/resource_airbyte/a.py"].chmod(0o755)
    assert image.reference(context, "base:1") != changed


def test_what_is_sent_says_nothing_of_owners_and_times(context: dict[str, Path]) -> None:
    context["Dockerfile"].chmod(0o700)
    with image.archive(context) as packed, tarfile.open(fileobj=packed) as tar:
        found = {each.name: (each.uid, each.gid, each.mtime, each.mode) for each in tar}
        assert tar.extractfile("app/config/schema.json").read() == b"{}"  # type: ignore[union-attr]
    assert found["app/config/schema.json"] == (0, 0, 0, 0o644)
    assert found["Dockerfile"] == (0, 0, 0, 0o755)


def test_the_build_is_logged_and_its_slow_steps_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    lines = [
        {"stream": "Step 1/3 : FROM x\n"},
        {"stream": "Step 2/3 : ENV a=b\n"},
        {"stream": "Step 3/3 : RUN pip install https://me:secret@mirror.example/x\n"},
    ]
    image._follow(lines, "it", tmp_path / "logs" / "build.log", told.append)
    assert told == ["building the image: step 1 of 3", "building the image: step 3 of 3"]
    log = (tmp_path / "logs" / "build.log").read_text()
    assert "Step 2/3" in log
    assert "secret" not in log


def test_a_build_that_fails_says_what_it_said_last_and_where_the_rest_is(tmp_path: Path) -> None:
    lines = [{"stream": "Step 1/1 : RUN pip install\n"}, {"stream": "no such package\n"}, {"error": "exit code 1"}]
    with pytest.raises(RuntimeFault, match="no such package") as caught:
        image._follow(lines, "it", tmp_path / "build.log", lambda _: None)
    assert "build.log" in str(caught.value.hint)
    with pytest.raises(DataDirUnusable, match="full"):
        image._follow([{"error": "write /x: no space left on device"}], "it", tmp_path / "b.log", lambda _: None)
