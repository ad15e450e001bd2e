from __future__ import annotations

import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from resource_airbyte import process
from resource_airbyte.errors import UsageError
from resource_airbyte.settings import Settings, mistyped, properties, shipped


def load(tmp_path: Path, flags: dict[str, object] | None = None, **environ: str) -> Settings:
    return Settings.load(flags, environ={"HOME": str(tmp_path), **environ}, cwd=tmp_path)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_the_schema_describes_every_setting_completely() -> None:
    for name, entry in properties().items():
        assert entry["env"] == f"AIRBYTE_{name.upper()}"
        assert entry["type"] in {"string", "integer", "number", "boolean", "array"}
        assert entry["description"].endswith(".")
        assert "default" in entry


def test_the_defaults_fit_their_own_schema() -> None:
    schema = json.loads(shipped("config/schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({name: entry["default"] for name, entry in properties().items()}, schema)


def test_the_attributes_are_those_of_the_schema() -> None:
    kinds = {"string": str, "integer": int, "number": float, "boolean": bool}
    hints = typing.get_type_hints(Settings)
    expected: dict[str, Any] = {}
    for name, entry in properties().items():
        if entry["type"] == "array":
            expected[name] = types.GenericAlias(tuple, (kinds[entry["items"]["type"]], ...))
        else:
            expected[name] = Path if entry.get("format") == "path" else kinds[entry["type"]]
    assert hints == expected


def test_defaults_follow_the_base_directories(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.data_dir == tmp_path / ".local/share/resource-airbyte"
    assert settings.cache_dir == tmp_path / ".cache/resource-airbyte"
    assert (settings.webapp_port, settings.server_port, settings.temporal_port) == (8000, 8001, 8006)
    assert settings.retry_backoff == (10, 30, 90, 270)
    assert settings.origin("data_dir") == "default"
    elsewhere = load(tmp_path, XDG_DATA_HOME="/srv/data", XDG_CACHE_HOME="relative")
    assert elsewhere.data_dir == Path("/srv/data/resource-airbyte")
    assert elsewhere.cache_dir == tmp_path / ".cache/resource-airbyte"


def test_each_layer_wins_over_the_ones_below_it_and_says_so(tmp_path: Path) -> None:
    user = write(tmp_path / ".config/resource-airbyte/config.yaml", "webapp_port: 1\n")
    assert load(tmp_path).origin("webapp_port") == f"user file {user}"
    project = write(tmp_path / "resource-airbyte.yaml", "webapp_port: 2\n")
    assert load(tmp_path).origin("webapp_port") == f"project file {project}"
    assert load(tmp_path, AIRBYTE_WEBAPP_PORT="3").origin("webapp_port") == "environment AIRBYTE_WEBAPP_PORT"
    settings = load(tmp_path, {"webapp_port": 4}, AIRBYTE_WEBAPP_PORT="3")
    assert (settings.webapp_port, settings.origin("webapp_port")) == (4, "flag --webapp-port")


def test_a_flag_that_was_not_given_and_an_empty_variable_change_nothing(tmp_path: Path) -> None:
    settings = load(tmp_path, {"webapp_port": None}, AIRBYTE_WEBAPP_PORT="")
    assert settings.origin("webapp_port") == "default"


def test_relative_paths_start_where_they_were_written(tmp_path: Path) -> None:
    write(tmp_path / ".config/resource-airbyte/config.yaml", "data_dir: here\ncache_dir: ~/there\n")
    settings = load(tmp_path)
    assert settings.data_dir == tmp_path / ".config/resource-airbyte/here"
    assert settings.cache_dir == tmp_path / "there"
    assert load(tmp_path, AIRBYTE_DATA_DIR="sub/../here").data_dir == tmp_path / "here"


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("AIRBYTE_OFFLINE", "Yes", True),
        ("AIRBYTE_OFFLINE", "0", False),
        ("AIRBYTE_RETRY_BACKOFF", "1, 2.5 3", (1, 2.5, 3)),
        ("AIRBYTE_RETRY_BACKOFF", "[0]", (0,)),
        ("AIRBYTE_CHECK_TIMEOUT", "0.5", 0.5),
        ("AIRBYTE_JOBS_PER_CONNECTOR", "source-github=1, *=4", ("source-github=1", "*=4")),
        ("AIRBYTE_RUNTIME", "compose", "compose"),
    ],
)
def test_variables_are_read_by_type(tmp_path: Path, variable: str, text: str, value: object) -> None:
    assert getattr(load(tmp_path, **{variable: text}), variable.removeprefix("AIRBYTE_").lower()) == value


@pytest.mark.parametrize(
    ("variable", "text", "problem"),
    [
        ("AIRBYTE_WEBAPP_PORT", "eight", "is not a whole number"),
        ("AIRBYTE_WEBAPP_PORT", "70000", "is more than 65535"),
        ("AIRBYTE_OFFLINE", "maybe", "is not true or false"),
        ("AIRBYTE_RUNTIME", "docker", "is not one of embedded, compose, remote"),
        ("AIRBYTE_RETRY_BACKOFF", "[]", "is empty"),
        ("AIRBYTE_RETRY_BACKOFF", "1,-1", "is less than 0"),
        ("AIRBYTE_CHECK_TIMEOUT", "0", "is not more than 0"),
        ("AIRBYTE_JOBS_PER_CONNECTOR", "source-github=x", "is not like source-github=1"),
        ("AIRBYTE_JOBS_PER_CONNECTOR", "source-github=0", "is not like source-github=1"),
        ("AIRBYTE_JOBS_PER_CONNECTOR", "4", "is not like source-github=1"),
        ("AIRBYTE_CHECK_TIMEOUT", "nan", "is not a number"),
        ("AIRBYTE_CHECK_TIMEOUT", "1e400", "is not a number"),
    ],
)
def test_an_unfit_value_is_refused_with_its_origin(tmp_path: Path, variable: str, text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, **{variable: text})
    assert problem in str(caught.value)
    assert f"environment {variable}" in str(caught.value)


def test_an_unfit_value_in_a_file_names_its_line(tmp_path: Path) -> None:
    project = write(tmp_path / "resource-airbyte.yaml", "offline: true\n\nwebapp_port: true\n")
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    assert f"project file {project}, line 3" in str(caught.value)


def test_an_unknown_name_in_a_file_is_an_error_with_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path / "resource-airbyte.yaml", "web_port: 8100\n")
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    assert caught.value.hint == "Did you mean webapp_port?"
    assert "line 1" in str(caught.value)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [\n", "just words", "\x00"])
def test_a_file_that_holds_no_settings_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    project = write(tmp_path / "resource-airbyte.yaml", text)
    with pytest.raises(UsageError, match=str(project)):
        load(tmp_path)


def test_an_empty_file_is_fine(tmp_path: Path) -> None:
    write(tmp_path / "resource-airbyte.yaml", "# nothing yet\n")
    assert load(tmp_path).webapp_port == 8000


def test_iteration_shows_every_setting_and_masks_a_password(tmp_path: Path) -> None:
    settings = load(tmp_path, AIRBYTE_DATABASE_URL="postgresql://me:hunter2@db/airbyte?password=hunter3")
    shown = {setting.name: setting for setting in settings}
    assert list(shown) == list(properties())
    assert shown["database_url"].value == "postgresql://me:**********@db/airbyte?password=**********"
    assert shown["database_url"].origin == "environment AIRBYTE_DATABASE_URL"
    assert settings.database_url.startswith("postgresql://me:hunter2@")


@pytest.mark.parametrize("password", ["hunter2", "hun@ter2", "hun/ter2", "h@un@ter2"])
def test_no_part_of_a_password_is_shown_however_it_is_written(password: str, tmp_path: Path) -> None:
    settings = load(tmp_path, AIRBYTE_REGISTRY_URL=f"https://me:{password}@example.com/files")
    shown = {setting.name: setting.value for setting in settings}
    assert shown["registry_url"] == "https://me:**********@example.com/files"


def test_a_child_given_the_environment_loads_the_same_values(tmp_path: Path) -> None:
    given = {"offline": True, "retry_backoff": [1, 2.5], "data_dir": "d", "jobs_per_connector": ["a=1", "*=2"]}
    settings = load(tmp_path, given, AIRBYTE_WEBAPP_PORT="81")
    child = Settings.load(environ={"HOME": "/nowhere", **settings.environment()}, cwd=Path("/"))
    assert (child.offline, child.retry_backoff, child.webapp_port) == (True, (1, 2.5), 81)
    assert (child.data_dir, child.jobs_per_connector) == (tmp_path / "d", ("a=1", "*=2"))


def test_loading_without_files_imports_no_library() -> None:
    code = (
        "import sys; from resource_airbyte.settings import Settings; Settings.load();"
        "print({'yaml', 'jsonschema'} & set(sys.modules))"
    )
    done = process.run([sys.executable, "-c", code], timeout=30, env=process.own_environment(), cwd="/")
    assert done.stdout.split() == [b"set()"]


def test_a_home_that_may_not_be_read_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(UsageError, match="Permission denied") as caught:
        load(tmp_path)
    assert "HOME" in str(caught.value.hint)


def test_a_mistyped_variable_is_noticed_and_a_strange_one_is_left_alone() -> None:
    given = {
        "AIRBYTE_WEBAP_PORT": "1",
        "AIRBYTE_WEBAPP_PORT": "1",
        "AIRBYTE_ENABLE_UNSAFE_CODE": "1",
        "WEBAP_PORT": "1",
    }
    assert mistyped(given) == [("AIRBYTE_WEBAP_PORT", "AIRBYTE_WEBAPP_PORT")]


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("2000", 2000), ("2 GB", 2 * 10**9), ("512MiB", 512 << 20), ("1.5g", 1_500_000_000)]
)
def test_a_size_can_be_written_with_its_unit(tmp_path: Path, text: str, count: int) -> None:
    assert load(tmp_path, AIRBYTE_ATTEMPT_MEMORY_LIMIT=text).attempt_memory_limit == count
    (tmp_path / "resource-airbyte.yaml").write_text(f"min_free_disk: {text}\n")
    assert load(tmp_path).min_free_disk == count


@pytest.mark.parametrize("text", ["two", "2 GX", "-1", "1e9"])
def test_what_is_no_size_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="attempt_memory_limit"):
        load(tmp_path, AIRBYTE_ATTEMPT_MEMORY_LIMIT=text)
