"""Schedules, from a file to Airbyte's Quartz."""

from __future__ import annotations

from typing import Any

import pytest

from resource_airbyte.errors import InvalidDocument
from resource_airbyte.pipelines.schedule import quartz, words


@pytest.mark.parametrize(
    ("unix", "expected"),
    [
        ("0 */6 * * *", "0 0 */6 * * ?"),
        ("30 2 1 * *", "0 30 2 1 * ?"),
        ("0 9 * * 1-5", "0 0 9 ? * MON-FRI"),
        ("0 9 * * 0,6", "0 0 9 ? * SUN,SAT"),
        ("0 9 * * 7", "0 0 9 ? * SUN"),
        ("0 9 * * mon", "0 0 9 ? * MON"),
        ("0 9 * * 0-7", "0 0 9 ? * *"),
    ],
)
def test_unix_cron_becomes_quartz(unix: str, expected: str) -> None:
    assert quartz(unix) == expected


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("61 * * * *", "61 is no minute (0 to 59)"),
        ("0 24 * * *", "24 is no hour (0 to 23)"),
        ("0 0 0 * *", "0 is no day of the month (1 to 31)"),
        ("0 0 * 13 *", "13 is no month (1 to 12)"),
        ("0 0 * foo *", "'foo' is no month"),
        ("0 0 12 * * 2030", "2030 is no day of the week"),
        ("0 0 12 * * 8", "8 is no day of the week (1 to 7)"),
        ("5-61/2 * * * *", "61 is no minute"),
        ("*/0 * * * *", "a step is at least 1"),
        ("5-x * * * *", "'x' is no minute"),
        ("² * * * *", "'²' is no minute"),
        ("9" * 5000 + " * * * *", "is no minute"),
        ("*/" + "9" * 5000 + " * * * *", "a step is at least 1"),
        ("0 0 30 2 *", "no month has such a day"),
        ("0 0 0 29 2 ? 2027", "no month has such a day"),
    ],
)
def test_a_moment_that_never_comes_is_refused_with_its_field(content: Any, expression: str, fault: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        content(f"name: a\nsource: x\ndestination: y\nsync: {{schedule: {{expression: '{expression}'}}}}\n")
    assert fault in caught.value.message
    assert ":4:" in caught.value.message


@pytest.mark.parametrize("expression", ["0 0 12 L * ?", "0 0 12 ? * MON#2", "0 0 12 15W jan,FEB ?", "*/5 * * * 1-5"])
def test_the_words_of_quartz_are_known(content: Any, expression: str) -> None:
    assert content(f"name: a\nsource: x\ndestination: y\nsync: {{schedule: {{expression: '{expression}'}}}}\n")


@pytest.mark.parametrize("cron", ["0 9 1 * 1", "0 9 * * 8"])
def test_what_quartz_cannot_say_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="day"):
        quartz(cron)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("manual", "manual"),
        ("{type: basic, every: 6 hours}", "every 6 hours"),
        ("{every: day}", "every day"),
        ("{expression: '0 0 12 * * ? 2030', timezone: Europe/Berlin}", "cron 0 0 12 * * ? 2030 (Europe/Berlin)"),
    ],
)
def test_a_schedule_is_read_and_said_in_words(content: Any, schedule: str, expected: str) -> None:
    options = content(f"name: a\nsource: x\ndestination: y\nsync: {{schedule: {schedule}}}\n").connection.options
    assert words(options["scheduleType"], options.get("scheduleData")) == expected


@pytest.mark.parametrize(
    "schedule",
    ["{type: cron}", "{type: basic, expression: x}", "daily", "{expression: '* *'}", f"{{every: {'9' * 5000} hours}}"],
)
def test_an_incomplete_or_mixed_schedule_is_refused(content: Any, schedule: str) -> None:
    with pytest.raises(InvalidDocument):
        content(f"name: a\nsource: x\ndestination: y\nsync: {{schedule: {schedule}}}\n")
