"""The page that tells of content files tells of all that may stand in them, and its examples can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from resource_airbyte.pipelines import document, own, schedule

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "content-files.md").read_text("utf-8")
ROW = re.compile(r"^\| (`[^|]+?) \|.*\| `(.+)` \|$", re.MULTILINE)


def section(title: str) -> str:
    """What stands below a heading, up to the next one."""
    return re.split(r"^#+ ", PAGE.partition(f" {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("A source, a destination", document.ACTOR_KEYS),
        ("A connection, a pipeline", document.PIPELINE_KEYS),
        ("Under `sync`", document.SYNC_KEYS),
        ("A stream", document.STREAM_KEYS),
        ("A schedule", schedule.KEYS),
        ("A connector", own.KEYS),
    ],
)
def test_every_key_has_a_row_with_an_example_that_names_it(title: str, keys: tuple[str, ...]) -> None:
    rows = ROW.findall(section(title))
    named = [key for cell, _ in rows for key in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(keys)
    assert all(re.findall(r"`(\w+)`", cell)[0] in example for cell, example in rows)


@pytest.mark.parametrize(
    "words", [document.SYNC_MODES, document.DESTINATION_SYNC_MODES, document.SCHEMA_CHANGES, schedule.UNITS]
)
def test_every_word_that_a_key_may_have_is_told(words: tuple[str, ...]) -> None:
    assert [word for word in words if word not in PAGE] == []


@pytest.mark.parametrize("title", ["Under `sync`", "A stream", "A schedule"])
def test_the_examples_of_a_connection_are_read(content: Any, title: str) -> None:
    head = "name: a\nsource: x\ndestination: y\nsync:\n"
    for cell, example in ROW.findall(section(title)):
        inner = example
        if title == "A stream":
            also = "" if cell == "`name`" else "name: a, "
            inner = f"streams: [{{{also}{example}}}]"
        content(f"{head}  {inner}\n")


def test_the_examples_in_full_are_read(content: Any) -> None:
    found = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    head = "name: a\nsource: x\ndestination: y\n"
    kinds = [content(text if text.startswith("name") else head + text).kind for text in found]
    assert kinds == ["source", "pipeline", "connection"]
