from __future__ import annotations

import pytest

from resource_airbyte.engine.orchestrator.ready import value_of


def test_two_configurations_name_the_same_file_when_their_values_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_DIRECTORY", "/warehouse")
    assert value_of({"path": "${env:MY_DIRECTORY}/a", "other": "${env:NO_SUCH_VARIABLE}"}, "path") == "/warehouse/a"
    assert value_of({"path": "/warehouse/a"}, "path") == "/warehouse/a"


def test_what_cannot_be_filled_in_or_is_not_there_is_no_value() -> None:
    assert value_of({"path": "${env:NO_SUCH_VARIABLE}/a"}, "path") is None
    assert value_of({}, "path") is None
