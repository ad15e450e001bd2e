"""Which runtime a command is about, and what is said when another one is installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.errors import Conflict, NotInstalled
from resource_airbyte.runtime import choice, claim
from resource_airbyte.runtime.base import Runtime
from resource_airbyte.runtime.datadir import DataDir, new_marker
from resource_airbyte.settings import Settings


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.make()
    return made


def settings(data: DataDir, **environ: str) -> Settings:
    return Settings.load({"data_dir": str(data.path)}, environ={"HOME": "/nowhere", **environ}, cwd=data.path.parent)


def runtime(data: DataDir, **environ: str) -> Runtime:
    return choice.choose(settings(data, **environ))


def test_what_was_installed_is_remembered_and_what_is_said_now_wins(data: DataDir) -> None:
    assert choice.chosen(settings(data)) == "embedded"
    data.write_marker(new_marker((), {}, "compose"))
    assert choice.chosen(settings(data)) == "compose"
    assert choice.chosen(settings(data, AIRBYTE_RUNTIME="embedded")) == "embedded"


def test_a_marker_of_a_version_that_knew_one_runtime_means_that(data: DataDir) -> None:
    old = '{"version": "0", "installed_at": 1.0, "created": ["."], "links": {}, "kept": false}'
    data.marker_file.write_text(old)
    assert choice.chosen(settings(data)) == "embedded"
    assert claim.installed(data, "embedded")


def test_with_a_damaged_marker_the_files_tell_which_it_was(data: DataDir) -> None:
    data.marker_file.write_text("{")
    assert choice.chosen(settings(data)) == "embedded"
    (data.path / "stack.env").touch()
    assert choice.chosen(settings(data)) == "compose"


def test_a_directory_that_is_closed_to_this_user_is_left_to_the_verb_to_tell(
    data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.marker_file.write_text("{")
    look = os.stat

    def closed(path: Any, **words: Any) -> os.stat_result:
        if str(path).endswith("stack.env"):
            raise PermissionError(13, "Permission denied")
        return look(path, **words)

    monkeypatch.setattr(os, "stat", closed)
    assert choice.chosen(settings(data)) == "embedded"


@pytest.mark.parametrize(("there", "asked"), [("embedded", "compose"), ("compose", "embedded")])
def test_one_runtime_where_the_other_is_installed(data: DataDir, there: str, asked: str) -> None:
    data.write_marker(new_marker((), {}, there))
    other = runtime(data, AIRBYTE_RUNTIME=asked)
    said = f"the {asked} runtime is not installed in {data.path}; the {there} runtime is"
    with pytest.raises(Conflict, match=f"holds the {there} runtime") as caught:
        other.install()
    assert f"uninstall --runtime {there}" in str(caught.value.hint)
    with pytest.raises(NotInstalled, match=said):
        other.start()
    assert said in other.stop().message
    assert said in other.uninstall().message
    assert not other.status().installed
    assert data.marker_file.exists()


def test_kept_data_of_one_runtime_is_not_given_to_another(data: DataDir) -> None:
    from dataclasses import replace

    data.write_marker(replace(new_marker((), {}, "compose"), kept=True))
    with pytest.raises(Conflict, match="holds data of the compose runtime"):
        runtime(data, AIRBYTE_RUNTIME="embedded").install()
