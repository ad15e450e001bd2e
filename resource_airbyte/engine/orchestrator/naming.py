"""How a connection names streams at its destination."""

from __future__ import annotations

from ...protocol.messages import StreamDescriptor

SOURCE_NAMESPACE = "${SOURCE_NAMESPACE}"


def destination_name(
    stream: StreamDescriptor, definition: str | None, form: str | None, prefix: str | None
) -> tuple[str, str | None]:
    """The name and namespace of a stream at the destination; None is the destination's default namespace.

    `definition` is the connection's namespaceDefinition (`source`, `destination`, `customformat`), `form` its
    namespaceFormat. A custom format that comes out empty means the destination's default, as it does in Airbyte.
    """
    name = f"{prefix or ''}{stream.name}"
    if definition == "source":
        return name, stream.namespace
    if definition == "customformat":
        return name, (form or "").replace(SOURCE_NAMESPACE, stream.namespace or "") or None
    return name, None
