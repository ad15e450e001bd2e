"""Which libraries are tried for a connector, in which order, and with which interpreter."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resource_airbyte.engine.connectors.environments import build, disk, interpreters
from resource_airbyte.engine.connectors.environments.build import Build
from resource_airbyte.engine.connectors.environments.package import Package
from resource_airbyte.engine.connectors.environments.uv import Uv
from resource_airbyte.errors import InstallFailed

MINE = Package("airbyte-source-mine", "1.0.0", "source-mine", folder="source-mine")
DAY = datetime(2025, 1, 2, tzinfo=UTC)
UNSOLVED = (1, "error: No solution found when resolving dependencies")


class Pretended(Uv):
    """uv, as far as `answer` plays it: it gets the arguments of `pip install`."""

    def run(self, *arguments: str) -> tuple[int, str]:
        if arguments[0] == "venv":
            (Path(arguments[-1]) / "bin").mkdir(parents=True)
            for name in ("python", "source-mine"):
                (Path(arguments[-1]) / "bin" / name).touch()
            (Path(arguments[-1]) / "python.txt").write_text(arguments[-2])
            return 0, ""
        return answers[0](list(arguments)) if arguments[:2] == ("pip", "install") else (0, "")


answers: list[Callable[[list[str]], tuple[int, str]]] = []


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, object]]:
    """Makes the environment with pretended Pythons ("/3.13") and returns what was written down of it."""
    monkeypatch.setattr(build, "_newest_file", lambda path: DAY - build.MARGIN)
    monkeypatch.setattr(interpreters, "version", lambda python: python.removeprefix("/") + ".1")
    monkeypatch.setattr(interpreters, "_found_by_uv", lambda wanted: "")

    def run(
        python: str, answer: Callable[[list[str]], tuple[int, str]], here: tuple[str, ...] = ()
    ) -> dict[str, object]:
        monkeypatch.setattr(interpreters, "_of_pyenv", lambda: list(here))
        answers[:] = [answer]
        place = tmp_path / "place"
        Build(MINE, place, Pretended("", tmp_path, 0.0, -1, report=said.append)).make(python)
        return dict(json.loads((place / disk.RECORD).read_text()))

    said.clear()
    return run


said: list[str] = []


def test_a_python_that_connectors_are_tested_with_gets_the_libraries_of_the_day(
    make: Callable[..., dict[str, object]],
) -> None:
    made = make("/3.11", lambda arguments: (0, ""))
    assert (made["python"], made["libraries_as_of"], made["overrides"]) == ("/3.11", DAY.isoformat(), [])
    assert said == []


def test_no_minutes_are_spent_on_compiling(make: Callable[..., dict[str, object]]) -> None:
    def answer(arguments: list[str]) -> tuple[int, str]:
        pairs = list(itertools.pairwise(arguments))
        assert ("--only-binary", "numpy") in pairs
        assert ("--only-binary", "pendulum") not in pairs
        return 0, ""

    make("/3.11", answer)


def test_for_a_newer_python_an_older_one_of_this_machine_is_taken_if_the_libraries_need_it(
    make: Callable[..., dict[str, object]],
) -> None:
    pythons = iter([UNSOLVED, (0, "")])
    made = make("/3.13", lambda arguments: next(pythons), here=("/3.12", "/3.11", "/3.9"))
    assert (made["python"], made["libraries_as_of"]) == ("/3.11", DAY.isoformat())
    assert said == ["source-mine 1.0.0 suits Python >=3.10,<3.12; making it anew with /3.11"]


def test_for_a_newer_python_alone_newer_libraries_are_taken_in_the_end(make: Callable[..., dict[str, object]]) -> None:
    tried = []

    def answer(arguments: list[str]) -> tuple[int, str]:
        tried.append(("--exclude-newer" in arguments, "--override" in arguments))
        return (0, "") if tried[-1] == (False, True) else UNSOLVED

    made = make("/3.13", answer)
    assert tried == [(True, False), (True, False), (False, False), (True, True), (False, True)]
    assert (made["python"], made["libraries_as_of"], made["overrides"]) == ("/3.13", None, list(build.NEWER))
    assert "trying the libraries of today, with numpy>=2.1, " in said[-1]


@pytest.mark.parametrize(
    "complaint", ["error: Failed to fetch", "No space left on device", "depends on lib==1.0.0\nNo solution found"]
)
def test_other_libraries_are_not_tried_for_a_failure_that_they_cannot_mend(
    make: Callable[..., dict[str, object]], complaint: str
) -> None:
    tried = []

    def answer(arguments: list[str]) -> tuple[int, str]:
        tried.append(arguments)
        return 1, complaint

    with pytest.raises(InstallFailed):
        make("/3.11", answer)
    assert len(tried) == 1


def test_what_fits_with_no_libraries_ends_with_the_words_of_uv(make: Callable[..., dict[str, object]]) -> None:
    with pytest.raises(InstallFailed, match="does not exist or does not fit together"):
        make("/3.11", lambda arguments: UNSOLVED)
