from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from resource_airbyte import process

ENV = process.environment()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def start(code: str, **arguments: object) -> process.Child:
    """A child that has written its first line: it is up."""
    child = process.start(python(code), env=ENV, stdout=-1, **arguments)  # type: ignore[arg-type]
    assert child.stdout is not None
    child.stdout.readline()
    return child


def test_a_child_sees_the_allowed_names_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_DATABASE_URL", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("UV_INDEX_MINE_PASSWORD", "secret")
    monkeypatch.setenv("TZ", "UTC")
    seen = process.run(python("import os; print(dict(os.environ))"), timeout=10, env=process.environment({"X": "1"}))
    assert b"secret" not in seen.stdout
    assert b"'X': '1'" in seen.stdout
    assert b"'TZ': 'UTC'" in seen.stdout


def test_a_child_of_our_own_finds_the_package_and_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_LOG_LEVEL", "DEBUG")
    code = "from resource_airbyte.settings import Settings; print(Settings.load().log_level)"
    done = process.run(python(code), timeout=10, env=process.own_environment(), cwd="/")
    assert done.stdout.strip() == b"DEBUG"


def test_the_daemon_has_the_environment_of_whoever_starts_it_but_nothing_that_is_for_another_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_TOKEN", "kept")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "kept.Keyring")
    for name in ("PYTHONHOME", "PYTHONSTARTUP", "PYTHONDONTWRITEBYTECODE", "LD_PRELOAD", process.MARK):
        monkeypatch.setenv(name, "dropped")
    found = process.daemon_environment({"AIRBYTE_LOG_LEVEL": "DEBUG"})
    assert (found["MY_TOKEN"], found["AIRBYTE_LOG_LEVEL"], found["PYTHONUTF8"]) == ("kept", "DEBUG", "1")
    assert found["PYTHON_KEYRING_BACKEND"] == "kept.Keyring"
    assert "dropped" not in found.values()


def test_a_part_of_the_program_that_is_told_all_it_needs_has_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRBYTE_DATABASE_URL", "UV_INDEX_MINE_PASSWORD", "MY_TOKEN"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in process.part_environment({process.MARK: "x"}).values()


def test_our_own_modules_are_not_shadowed_by_files_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    command = process.python("json.tool", "--help")
    assert process.run(command, timeout=10, env=process.own_environment(), cwd=tmp_path).code == 0


def test_run_returns_the_code_and_everything_written() -> None:
    code = "import sys; print(sys.stdin.read()); print('e', file=sys.stderr); sys.exit(3)"
    done = process.run(python(code), timeout=10, env=ENV, input=b"in")
    assert (done.code, done.stdout, done.stderr) == (3, b"in\n", b"e\n")


def test_at_its_deadline_a_child_is_killed_with_its_whole_family() -> None:
    code = (
        "import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(c.pid, flush=True); time.sleep(60)"
    )
    with pytest.raises(process.DeadlineExceeded) as caught:
        process.run(python(code), timeout=1.0, env=ENV)
    assert process.wait_gone(int(caught.value.stdout), 5)


def test_end_asks_first() -> None:
    child = start(
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print(flush=True); time.sleep(60)"
    )
    assert child.end() == 7
    child.popen.stdout.close()  # type: ignore[union-attr]


def test_end_kills_who_does_not_listen() -> None:
    child = start("import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)")
    assert child.end(grace=0.1) == -signal.SIGKILL
    child.popen.stdout.close()  # type: ignore[union-attr]


def test_wait_does_not_kill() -> None:
    child = start("import time; print(flush=True); time.sleep(60)")
    with pytest.raises(process.DeadlineExceeded):
        child.wait(0.05)
    assert child.code is None
    child.end(grace=0)
    child.popen.stdout.close()  # type: ignore[union-attr]


def test_a_child_inherits_no_descriptor_that_was_not_passed() -> None:
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    with ours, theirs:
        code = "import os, sys\ntry: os.fstat(int(sys.argv[1]))\nexcept OSError: print('closed')"
        done = process.run([*python(code), str(theirs.fileno())], timeout=10, env=ENV)
        assert done.stdout.strip() == b"closed"
        passed = process.run([*python(code), str(theirs.fileno())], timeout=10, env=ENV, pass_fds=[theirs.fileno()])
        assert passed.stdout == b""


def test_tail_keeps_the_last_lines() -> None:
    child = process.start(python("for i in range(100): print(i)"), env=ENV, stdout=-1)
    assert child.stdout is not None
    heard: list[str] = []
    tail = process.Tail(child.stdout, keep=3, line=heard.append)
    assert tail.text(wait=10) == "97\n98\n99"
    assert len(heard) == 100
    child.end()
    child.stdout.close()


def test_a_process_is_alive_only_under_its_own_time_of_birth() -> None:
    me = os.getpid()
    assert process.alive(me)
    assert process.alive(me, process.started_at())
    assert not process.alive(me, process.started_at() - 100)


def test_a_dead_process_is_not_alive_even_before_it_is_reaped() -> None:
    child = process.start(python(""), env=ENV)
    moment = time.monotonic() + 10
    while process.alive(child.pid):  # a zombie, in the end
        assert time.monotonic() < moment
    assert child.wait(5) == 0
    assert process.wait_gone(child.pid, 0)
    assert process.memory(child.pid) is None


def test_what_a_killed_parent_left_is_found_by_its_mark() -> None:
    env = process.environment({process.MARK: "test-sweep:1"})
    child = process.start(python("import time; print(flush=True); time.sleep(60)"), env=env, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    assert process.sweep("another:") == []
    assert process.sweep("test-sweep:") == [child.pid]
    assert child.wait(5) == -signal.SIGKILL
    child.stdout.close()


def test_who_listens_on_a_port_is_named() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        named = process.listener(door.getsockname()[1])
    assert named is not None
    assert named.startswith(f"process {os.getpid()}, ")


def test_a_tail_marks_where_it_has_cut_a_line() -> None:
    heard: list[str] = []
    size = process.TAIL_BLOCK + process.TAIL_KEPT
    child = process.start(
        python(f"import sys; sys.stderr.write('x' * {2 * size}); sys.stderr.flush()"), env=ENV, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    tail = process.Tail(child.stderr, line=heard.append)
    assert tail.text(20).startswith("…x")
    child.wait(10)
    assert len(heard) > 1
    assert all(first.endswith("…") and second.startswith("…") for first, second in pairwise(heard))
