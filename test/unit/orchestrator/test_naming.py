"""Names of streams at the destination."""

from __future__ import annotations

import pytest

from resource_airbyte.engine.orchestrator.naming import destination_name
from resource_airbyte.protocol.messages import StreamDescriptor

PLAIN, SPACED = StreamDescriptor("users"), StreamDescriptor("users", "shop")


@pytest.mark.parametrize(
    ("stream", "definition", "form", "prefix", "expected"),
    [
        (SPACED, "source", None, None, ("users", "shop")),
        (SPACED, "destination", None, "raw_", ("raw_users", None)),
        (SPACED, None, None, None, ("users", None)),
        (SPACED, "customformat", "x_${SOURCE_NAMESPACE}", "", ("users", "x_shop")),
        (PLAIN, "customformat", "${SOURCE_NAMESPACE}", None, ("users", None)),
        (PLAIN, "customformat", "fixed", "p", ("pusers", "fixed")),
        (PLAIN, "source", None, None, ("users", None)),
    ],
)
def test_names_follow_the_connection(
    stream: StreamDescriptor,
    definition: str | None,
    form: str | None,
    prefix: str | None,
    expected: tuple[str, str | None],
) -> None:
    assert destination_name(stream, definition, form, prefix) == expected
