"""Words that are right, and words that are wrong."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.cli import app
from resource_airbyte.cli.session import Session
from resource_airbyte.errors import NotFound, ResourceError


def test_no_words_at_all_print_the_help(run: Any) -> None:
    ran = run()
    assert ran.code == 0
    assert ran.out == run("help").out == run("--help").out
    assert ran.out.index("Examples:") < ran.out.index("Usage:")
    for word in ("manage", "test", "content", "Default configuration", "8000"):
        assert word in ran.out


def test_help_goes_as_far_as_there_are_verbs(run: Any) -> None:
    assert run("help", "credentials", "rotate").out == run("help", "credentials").out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["contnet"], "did you mean content?"),
        (["content", "lst"], "did you mean list?"),
        (["content", "list", "--fromat", "json"], "did you mean --format?"),
        (["status", "--runtme", "embedded"], "did you mean --runtime?"),
        (["manage"], "install"),
        (["content", "get", "people"], "content get --name people"),
        (["content", "list", "--type", "sorces"], "did you mean source?"),
        (["content", "execute", "--name", "x", "--options", "stream=a"], "did you mean streams?"),
        (["content", "execute", "--name", "x", "--options", "timeout=soon"], "timeout=600"),
        (["logs", "--since", "yesterday"], "10m"),
        (["logs", "--job", "1", "--service", "server"], "logs --job 1"),
        (["status", "--format", "xml"], "--help"),
        (["help", "nothing"], "the verbs are"),
        (["--runtime", "embeded", "status"], ""),
        (["content", "execute", "--nmae", "x"], "did you mean --name?\n"),
        (["content", "execute", "--options"], "help"),
        (["content", "execute", "--name", "x", "--options", "timeout=0"], "more than 0"),
        (["content", "get", "--name", "x", "--output", "json"], "--format json"),
        (["content", "get"], "content list"),
        (["logs", "--job", "abc"], "this is not a whole number"),
        (["logs", "--tail", "-1"], "must be at least 0"),
        (["manage", "start", "--timeout", "inf"], "must be at most 1000000"),
        (["logs", "--service", "wroker"], "did you mean worker?"),
        (["completion"], "bash, zsh, fish"),
    ],
)
def test_a_usage_error_exits_1_and_says_what_was_meant(run: Any, words: list[str], hint: str) -> None:
    ran = run(*words)
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert hint in ran.err
    assert "Traceback" not in ran.err


def test_an_error_with_json_is_a_document_on_stderr(run: Any) -> None:
    ran = run("content", "list", "--format", "json")
    assert (ran.code, ran.out) == (1, "")
    error = json.loads(ran.err)["error"]
    assert error["code"] == "not_installed"
    assert "manage install" in error["hint"]


def test_two_is_said_only_where_the_contract_says_two(run: Any) -> None:
    assert run("status").code == 2
    assert run("credentials").code == 2
    assert run("content", "list").code == 1
    assert run("content", "get", "--name", "x").code == 1
    assert run("manage", "start").code == 1


@pytest.mark.parametrize(("words", "moved"), [
    (["status", "--runtime", "compose"], ["--runtime", "compose", "status"]),
    (["content", "list", "--data-dir=/x", "--type", "a"], ["--data-dir=/x", "content", "list", "--type", "a"]),
    (["status"], ["status"]),
])  # fmt: skip
def test_global_options_may_stand_anywhere(words: list[str], moved: list[str]) -> None:
    assert app.hoist(words) == moved


def test_a_runtime_of_another_version_is_a_clear_no(run: Any) -> None:
    ran = run("status", "--runtime", "remote")
    assert ran.code == 1
    assert "the remote runtime" in ran.err
    assert "--runtime embedded" in ran.err


def test_a_destructive_verb_without_a_terminal_refuses(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from resource_airbyte.cli import manage

    monkeypatch.setattr(manage, "_installed", lambda session: True)
    ran = run("manage", "uninstall")
    assert ran.code == 1
    assert "add --force" in ran.err


def test_something_unexpected_is_short_and_keeps_its_traceback_in_a_private_file(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(session: Session) -> None:
        raise ValueError("input_value='hunter2', input_type=str")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(Session, "runtime", property(broken))
    ran = run("status")
    assert ran.code == 1
    (file,) = tmp_path.iterdir()
    assert str(file) in ran.err
    assert "Traceback" in file.read_text()
    assert "hunter2" not in ran.err + file.read_text()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_used_is_no_mistake_of_ours(
    run: Any, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/data/start.lock")

    monkeypatch.setattr(Session, "runtime", property(fail))
    done = run("manage", "start")
    assert done.code == 1
    assert "/data/start.lock" in done.err
    assert "hint: " in done.err
    assert "unexpected" not in done.err


def test_ctrl_c_is_130(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(session: Session) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "runtime", property(interrupted))
    assert run("status").code == 130


def test_commands_are_named_as_they_can_be_typed(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launcher = tmp_path / "cli.sh"
    monkeypatch.setenv("AIRBYTE_LAUNCHER", str(launcher))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.chdir(tmp_path)
    assert "hint: install it with: ./cli.sh manage install" in run("content", "list").err
    assert "./cli.sh manage install" in json.loads(run("content", "list", "--format", "json").err)["error"]["hint"]
    assert "-> install it with: ./cli.sh manage install" in run("manage", "doctor").out
    for words in ((), ("help",), ("content", "--help"), ("help", "content", "add")):
        assert "resource-airbyte content" not in run(*words).out
        assert "  ./cli.sh content " in run(*words).out


@pytest.mark.parametrize("group", ["manage", "content", "test"])
def test_the_verbs_of_a_group_are_explained_in_whole_sentences(run: Any, group: str) -> None:
    assert "..." not in run("help", group).out.partition("Commands:")[2]


def test_the_help_of_an_option_names_what_it_takes(run: Any) -> None:
    assert "<str>" not in run("logs", "--help").out
    assert "<int" not in run("logs", "--help").out


def test_an_error_outside_of_the_verbs_two_is_1() -> None:
    from resource_airbyte.cli import failures

    session = Session()
    assert failures.fail(NotFound("x"), session) == 1
    session.two = (NotFound,)
    assert failures.fail(NotFound("x"), session) == 2
    assert failures.fail(ResourceError("x"), session) == 1
