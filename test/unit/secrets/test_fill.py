"""References are filled in from where they point to, and every way in which that can fail is told."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.engine.secrets import fill, sources
from resource_airbyte.errors import ReferenceFailed

SECRET = "s3cr3t-s3cr3t"


def failure(written: dict[str, Any], **environ: str) -> ReferenceFailed:
    with pytest.raises(ReferenceFailed) as caught:
        fill(written, origin="source", environ=environ)
    assert (caught.value.failure_type, caught.value.origin) == ("config_error", "source")
    return caught.value


def private(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


def test_a_variable_of_the_environment_stands_alone_and_inside_a_longer_text() -> None:
    written = {"a": "${env:A}", "b": [{"c": "Bearer ${env:A}!"}], "n": 1, "none": None}
    filled = fill(written, environ={"A": SECRET})
    assert filled.configuration == {"a": SECRET, "b": [{"c": f"Bearer {SECRET}!"}], "n": 1, "none": None}
    assert filled.written == written
    assert filled.secrets == {SECRET}
    assert SECRET not in repr(filled)


def test_it_is_the_environment_of_this_process_unless_another_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_OWN_TOKEN", SECRET)
    assert fill({"a": "${env:MY_OWN_TOKEN}"}).configuration == {"a": SECRET}


def test_what_is_meant_as_text_is_text() -> None:
    filled = fill({"a": "$${env:A}", "b": "${A} ${evn:A}"}, environ={"A": SECRET})
    assert filled.configuration == {"a": "${env:A}", "b": "${A} ${evn:A}"}
    assert filled.secrets == frozenset()


def test_a_missing_variable_says_which_environment_is_meant_and_what_to_do() -> None:
    error = failure({"deep": [{"password": "x${env:PW}"}]})
    assert "configuration.deep[0].password refers to ${env:PW}, but the daemon was started (20" in error.message
    assert "without the environment variable PW" in error.message
    assert error.hint is not None
    for way in ("export PW=", "resource-airbyte manage restart", "${PW}", "${file:"):
        assert way in error.hint


def test_all_that_is_missing_is_told_at_once_and_nothing_that_is_there() -> None:
    error = failure({"a": "${env:A}", "b": "${env:B}", "c": "${env:C}"}, B=SECRET)
    assert error.details == {"references": ["${env:A}", "${env:C}"]}
    assert SECRET not in error.message


def test_an_empty_variable_is_an_empty_text() -> None:
    assert fill({"a": "${env:A}"}, environ={"A": ""}).configuration == {"a": ""}


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("x", "x"),
        ("x\n", "x"),
        ("x\r\n", "x"),
        ("x\n\n", "x\n"),
        ("\n", ""),
        ("", ""),
        ("a\nb\n", "a\nb"),
        ("x\r", "x\r"),
    ],
)
def test_a_file_is_its_content_without_the_last_line_end(tmp_path: Path, content: str, value: str) -> None:
    path = private(tmp_path / "a", content)
    assert fill({"a": f"${{file:{path}}}"}).configuration == {"a": value}


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    path = private(tmp_path / "a", "old")
    written = {"a": f"${{file:{path}}}"}
    assert fill(written).configuration == {"a": "old"}
    path.write_text("new")
    assert fill(written).configuration == {"a": "new"}


def test_a_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    path = private(tmp_path / "a", SECRET)
    assert fill({"a": f"${{file:{path}}}"}).warnings == ()
    path.chmod(0o644)
    [warning] = fill({"a": f"${{file:{path}}}"}).warnings
    assert "configuration.a" in warning
    assert f"chmod 600 {path}" in warning
    assert SECRET not in warning


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = failure({"a": f"${{file:{tmp_path}/none}}"})
    assert f"{tmp_path}/none cannot be read: No such file or directory" in error.message
    assert "as the user" in str(error.hint)


def test_directories_pipes_and_what_is_too_large_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: whoever waited for that would wait for ever
    private(tmp_path / "large", b"x" * (sources.LARGEST + 1))
    private(tmp_path / "binary", b"\xff\xfe\x00")
    for name, told in (
        ("", "is a directory"),
        ("pipe", "not an ordinary file"),
        ("large", "larger than 1 MB"),
        ("binary", "not UTF-8"),
    ):
        assert told in failure({"a": f"${{file:{tmp_path}/{name}}}"}).message
    private(tmp_path / "large", b"x" * sources.LARGEST)
    assert len(fill({"a": f"${{file:{tmp_path}/large}}"}).configuration["a"]) == sources.LARGEST


def keyring(monkeypatch: pytest.MonkeyPatch, get_password: Any) -> None:
    module = types.ModuleType("keyring")
    module.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)


def test_an_entry_of_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring(monkeypatch, lambda *entry: "|".join(entry))
    assert fill({"a": "${keyring:my app/me}"}).configuration == {"a": "my app|me"}


def test_an_entry_that_the_keyring_does_not_have_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring(monkeypatch, lambda *_: None)
    error = failure({"a": "${keyring:app/me}"})
    assert "no entry 'me' of the service 'app'" in error.message
    assert error.hint == "keyring set app me"


def test_a_machine_without_a_keyring_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: str) -> str:
        raise RuntimeError("no recommended backend was available")

    keyring(monkeypatch, none)
    assert "no recommended backend" in failure({"a": "${keyring:app/me}"}).message


def test_a_keyring_that_asks_somebody_who_is_not_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(sources, "KEYRING_SECONDS", 0.01)
    keyring(monkeypatch, lambda *_: threading.Event().wait())
    assert "did not answer within 0.01 s" in failure({"a": "${keyring:app/me}"}).message


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    error = failure({"a": "${keyring:app/me}"})
    assert "keyring is not installed" in error.message
    assert f"--python {sys.executable} keyring" in str(error.hint)


# What a connector asks to keep


def kept(written: dict[str, Any], renewed: Any, **environ: str) -> Any:
    return fill(written, environ=environ).kept(renewed)


def test_what_a_connector_gives_back_unchanged_stays_a_reference() -> None:
    written = {"a": "${env:A}", "b": {"c": ["x", "Bearer ${env:A}"]}, "token": "old", "n": 1}
    renewed = {"a": SECRET, "b": {"c": ["x", f"Bearer {SECRET}"]}, "token": "new", "n": 1, "more": True}
    assert kept(written, renewed, A=SECRET) == {**written, "token": "new", "more": True}


def test_a_changed_value_takes_the_place_of_its_reference() -> None:
    assert kept({"a": "${env:A}", "b": "${env:A}"}, {"a": "rotated", "b": SECRET}, A=SECRET) == {
        "a": "rotated",
        "b": "${env:A}",
    }


def test_a_connector_cannot_have_anything_filled_in() -> None:
    asked = {"a": "${file:/etc/passwd}", "b": ["${env:A}"], "c": {"d": "$${env:A}"}}
    stored = kept({"a": "x"}, asked, A=SECRET)
    assert fill(stored, environ={"A": SECRET}).configuration == asked


def test_a_text_that_only_looks_like_a_reference_stays_what_it_was() -> None:
    assert kept({"a": "$${env:A}"}, {"a": "${env:A}"}) == {"a": "$${env:A}"}


def test_lists_may_grow_and_shrink_and_types_may_change() -> None:
    written = {"l": ["${env:A}", "b"], "d": {"x": "${env:A}"}, "s": "${env:A}"}
    assert kept(written, {"l": [SECRET], "d": [SECRET], "s": {"x": SECRET}}, A=SECRET) == {
        "l": ["${env:A}"],
        "d": [SECRET],
        "s": {"x": SECRET},
    }
    assert kept(written, {"l": [SECRET, "b", "c"]}, A=SECRET) == {"l": ["${env:A}", "b", "c"]}


def test_a_number_is_not_taken_for_a_boolean() -> None:
    assert kept({"a": 1}, {"a": True}) == {"a": True}
    assert kept({"a": 1}, {"a": True})["a"] is True
