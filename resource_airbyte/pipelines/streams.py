"""From the streams that a file names to the catalog that a connection syncs, checked against what the source has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from resource_airbyte.errors import InvalidDocument
from resource_airbyte.model.catalog import (
    OF_THE_SOURCE,
    STEP_DOWN,
    AirbyteCatalog,
    AirbyteStream,
    AirbyteStreamAndConfiguration,
    AirbyteStreamConfiguration,
    SelectedFieldInfo,
    best,
)
from resource_airbyte.pipelines.document import StreamDocument
from resource_airbyte.pipelines.near import did_you_mean, near

# (stream, key, message, hint) → the error that points at the line
Fault = Callable[[StreamDocument, str, str, str | None], InvalidDocument]
Key = tuple[str | None, str]


def configure(
    available: AirbyteCatalog, wanted: Sequence[StreamDocument] | None, modes: Collection[str], fault: Fault
) -> AirbyteCatalog:
    """The whole catalog of the source, the wanted streams selected; `wanted` None selects all.

    `modes` are the destination's sync modes; empty means that they are not known. The streams that are not wanted stay
    in the catalog unselected, so that choosing them later needs no new discovery.
    """
    streams = {_key(entry.stream): entry.stream for entry in available.streams if entry.stream is not None}
    if wanted is None:
        chosen = {key: best(stream, modes) for key, stream in streams.items()}
    else:
        chosen = {}
        for each in wanted:
            stream = _named(streams, each, fault)
            chosen[_key(stream)] = _checked(stream, each, modes, fault)
    return AirbyteCatalog(
        streams=[
            AirbyteStreamAndConfiguration(stream=stream, config=chosen.get(key) or _unselected(stream, modes))
            for key, stream in streams.items()
        ]
    )


def left_open(before: AirbyteCatalog, after: AirbyteCatalog, wanted: Sequence[StreamDocument] | None) -> list[str]:
    """The streams that would be synced another way than before although the file does not say so, and how."""
    old, new = _selected(before), _selected(merged(before, after))
    said = {(each.namespace, each.name): each for each in wanted or ()}
    return [
        f"{_title(key)}: {_words(old[key])} → {_words(new[key])}"
        for key in new
        if key in old
        and _words(old[key]) != _words(new[key])
        and not _says(said.get(key) or said.get((None, key[1])), old[key], new[key])
    ]


def _says(wanted: StreamDocument | None, old: AirbyteStreamConfiguration, new: AirbyteStreamConfiguration) -> bool:
    """Whether the file itself asks for what is different."""
    if wanted is None:
        return False
    if (old.sync_mode, old.destination_sync_mode) != (new.sync_mode, new.destination_sync_mode):
        return wanted.sync_mode is not None or wanted.destination_sync_mode is not None
    cursor, key = old.cursor_field != new.cursor_field, old.primary_key != new.primary_key
    return not (cursor and wanted.cursor_field is None) and not (key and wanted.primary_key is None)


def covers(catalog: AirbyteCatalog, wanted: Sequence[StreamDocument] | None) -> bool:
    """Whether every wanted stream is in the catalog."""
    names = {entry.stream.name for entry in catalog.streams if entry.stream is not None}
    return bool(names) and all(each.name in names for each in wanted or ())


def differences(current: AirbyteCatalog, wanted: AirbyteCatalog) -> list[str]:
    """What syncing `wanted` would change, a line each; empty when nothing would."""
    before, after = _selected(current), _selected(merged(current, wanted))
    lines = [f"stream {_title(key)}: added, {_words(after[key])}" for key in after if key not in before]
    lines += [f"stream {_title(key)}: removed" for key in before if key not in after]
    for key in after:
        if key in before and _words(before[key]) != _words(after[key]):
            lines.append(f"stream {_title(key)}: {_words(before[key])} → {_words(after[key])}")
    return lines


def merged(current: AirbyteCatalog, wanted: AirbyteCatalog) -> AirbyteCatalog:
    """`wanted`, with what a file cannot say (selected fields, mappers, aliases) kept as it is now."""
    before = {_key(each.stream): each.config for each in current.streams if each.stream is not None}
    streams = []
    for entry in wanted.streams:
        old = before.get(_key(entry.stream)) if entry.stream is not None else None
        kept = _kept(old) if old is not None else {}
        if entry.config is not None and entry.config.field_selection_enabled is not None:  # a file can say that, too
            kept = {name: value for name, value in kept.items() if name not in _SELECTION}
        config = entry.config.model_copy(update=kept) if entry.config is not None else None
        streams.append(AirbyteStreamAndConfiguration(stream=entry.stream, config=config))
    return AirbyteCatalog(streams=streams)


_SELECTION = {"field_selection_enabled", "selected_fields"}
_SAID_BY_A_FILE = {"sync_mode", "destination_sync_mode", "cursor_field", "primary_key", "selected", "suggested"}


def _kept(config: AirbyteStreamConfiguration) -> dict[str, Any]:
    names = set(AirbyteStreamConfiguration.model_fields) - _SAID_BY_A_FILE
    return {name: getattr(config, name) for name in names if getattr(config, name) is not None}


def _key(stream: AirbyteStream) -> Key:
    return stream.namespace, stream.name


def _named(streams: dict[Key, AirbyteStream], wanted: StreamDocument, fault: Fault) -> AirbyteStream:
    matches = [
        stream
        for (namespace, name), stream in streams.items()
        if name == wanted.name and wanted.namespace in (None, namespace)
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        namespaces = ", ".join(str(stream.namespace) for stream in matches)
        message = f"the stream {wanted.name!r} is in several namespaces: {namespaces}"
        raise fault(wanted, "name", message, "add `namespace`")
    for namespace, name in (key for key in streams if _title(key) == wanted.name):
        hint = f"write {{name: {name}, namespace: {namespace}}}"
        raise fault(wanted, "name", f"the source has no stream {wanted.name!r}", hint)
    names = list(dict.fromkeys(name for _, name in streams))
    close = near(wanted.name, names)
    titles = sorted(_title(key) for key in streams)
    listed = ", ".join(titles[:20]) + (" …" if len(titles) > 20 else "")
    hint = f"did you mean {close[0]!r}? the source has: {listed}" if close else f"the source has: {listed}"
    raise fault(wanted, "name", f"the source has no stream {wanted.name!r}", hint)


def _checked(
    stream: AirbyteStream, wanted: StreamDocument, modes: Collection[str], fault: Fault
) -> AirbyteStreamConfiguration:
    """The configuration that the file asks for, if source and destination can do it."""
    config = best(stream, modes)
    config.cursor_field = _cursor(stream, wanted, fault) or config.cursor_field
    config.primary_key = _primary_key(stream, wanted, fault) or config.primary_key
    supported = stream.supported_sync_modes or ["full_refresh"]
    if wanted.sync_mode is not None:
        if wanted.sync_mode not in supported:
            message = f"the stream {stream.name!r} cannot be synced {wanted.sync_mode}"
            raise fault(wanted, "sync_mode", message, f"it supports: {', '.join(supported)}")
        config.sync_mode = wanted.sync_mode
    elif config.cursor_field and "incremental" in supported and wanted.destination_sync_mode != "overwrite":
        config.sync_mode = "incremental"
    config.destination_sync_mode = _destination_mode(config, wanted, modes, fault)  # type: ignore[assignment]
    _select(stream, config, wanted, fault)
    if config.sync_mode == "incremental" and not config.cursor_field and not stream.source_defined_cursor:
        message = f"incremental needs a cursor_field for {stream.name!r}"
        raise fault(wanted, "cursor_field", message, _fields_hint(stream))
    return config


def _destination_mode(
    config: AirbyteStreamConfiguration, wanted: StreamDocument, modes: Collection[str], fault: Fault
) -> str:
    mode = wanted.destination_sync_mode or _natural(config)
    if mode == "overwrite" and config.sync_mode == "incremental":
        message = f"incremental reads only what is new of {wanted.name!r}, and overwrite would throw the rest away"
        raise fault(wanted, "destination_sync_mode", message, "write it with append or append_dedup")
    while wanted.destination_sync_mode is None and modes and mode not in modes and STEP_DOWN[mode] in modes:
        mode = STEP_DOWN[mode]
    if modes and mode not in modes:
        message = f"the destination cannot write {wanted.name!r} with {mode}"
        raise fault(wanted, "destination_sync_mode", message, f"it supports: {', '.join(sorted(modes))}")
    if mode.endswith("_dedup") and not config.primary_key:
        message = f"{mode} needs a primary_key for {wanted.name!r}"
        raise fault(wanted, "primary_key", message, "name the fields that make a row unique: primary_key: [id]")
    return mode


def _natural(config: AirbyteStreamConfiguration) -> str:
    """How to write what is read this way."""
    if config.sync_mode == "full_refresh":
        return "overwrite"
    return "append_dedup" if config.primary_key else "append"


def _cursor(stream: AirbyteStream, wanted: StreamDocument, fault: Fault) -> list[str] | None:
    if wanted.cursor_field is None:
        return None
    own = stream.default_cursor_field
    if stream.source_defined_cursor and own and wanted.cursor_field != own:
        message = f"the source itself defines the cursor of {stream.name!r}: {'.'.join(own)}"
        raise fault(wanted, "cursor_field", message, "leave cursor_field out")
    _known_field(stream, wanted, "cursor_field", wanted.cursor_field, fault)
    return wanted.cursor_field


def _primary_key(stream: AirbyteStream, wanted: StreamDocument, fault: Fault) -> list[list[str]] | None:
    if wanted.primary_key is None:
        return None
    own = stream.source_defined_primary_key
    if own and sorted(wanted.primary_key) != sorted(own):
        fields = ", ".join(".".join(path) for path in own)
        message = f"the source itself defines the primary key of {stream.name!r}: {fields}"
        raise fault(wanted, "primary_key", message, "leave primary_key out")
    for path in wanted.primary_key:
        _known_field(stream, wanted, "primary_key", path, fault)
    return own or wanted.primary_key


def _select(stream: AirbyteStream, config: AirbyteStreamConfiguration, wanted: StreamDocument, fault: Fault) -> None:
    """The fields that the file wants; those that the sync itself needs have to be among them."""
    if wanted.fields is None:
        return
    config.field_selection_enabled = bool(wanted.fields)
    config.selected_fields = [SelectedFieldInfo(field_path=[name]) for name in wanted.fields]
    for name in wanted.fields:
        _known_field(stream, wanted, "fields", [name], fault)
    needed = {"cursor": [config.cursor_field] if config.sync_mode == "incremental" and config.cursor_field else []}
    needed["primary key"] = config.primary_key or [] if config.destination_sync_mode.endswith("_dedup") else []
    for what, paths in needed.items():
        for path in paths if wanted.fields else ():
            if path[0] not in wanted.fields and not path[0].startswith(OF_THE_SOURCE):
                message = f"fields leaves out {path[0]!r}, which is the {what} of {wanted.name!r}"
                raise fault(wanted, "fields", message, "add it to the list")


def _known_field(stream: AirbyteStream, wanted: StreamDocument, key: str, path: list[str], fault: Fault) -> None:
    fields = (stream.json_schema or {}).get("properties") or {}
    if fields and path[0] not in fields:
        hint = did_you_mean(path[0], fields) or _fields_hint(stream)
        raise fault(wanted, key, f"the stream {stream.name!r} has no field {path[0]!r}", hint)


def _fields_hint(stream: AirbyteStream) -> str | None:
    fields = list((stream.json_schema or {}).get("properties") or {})
    return f"its fields are: {', '.join(fields[:20])}{' …' if len(fields) > 20 else ''}" if fields else None


def _unselected(stream: AirbyteStream, modes: Collection[str]) -> AirbyteStreamConfiguration:
    return best(stream, modes).model_copy(update={"selected": False})


def _selected(catalog: AirbyteCatalog) -> dict[Key, AirbyteStreamConfiguration]:
    return {
        _key(each.stream): each.config
        for each in catalog.streams
        if each.stream is not None and each.config is not None and each.config.selected is not False
    }


def _words(config: AirbyteStreamConfiguration) -> str:
    """A configuration in words; equal words mean an equal sync."""
    words = f"{config.sync_mode} {config.destination_sync_mode}"
    if config.sync_mode == "incremental" and config.cursor_field:
        words += f", cursor {'.'.join(config.cursor_field)}"
    if config.destination_sync_mode.endswith("_dedup") and config.primary_key:
        words += f", key {', '.join('.'.join(path) for path in config.primary_key)}"
    if config.field_selection_enabled:
        words += f", fields {', '.join('.'.join(each.field_path or []) for each in config.selected_fields or [])}"
    return words


def _title(key: Key) -> str:
    return f"{key[0]}.{key[1]}" if key[0] else key[1]


def renewed(current: AirbyteCatalog, discovered: AirbyteCatalog, modes: Collection[str]) -> AirbyteCatalog:
    """The streams as they were discovered anew, synced as before; one that can no longer be is synced as is best."""
    before = {_key(each.stream): each.config for each in current.streams if each.stream is not None}
    entries = []
    for entry in discovered.streams:
        if entry.stream is None:
            continue
        config, stream = before.get(_key(entry.stream)), entry.stream
        if config is None:
            config = _unselected(stream, modes)
        elif config.sync_mode not in (stream.supported_sync_modes or ["full_refresh"]):
            config = best(stream, modes).model_copy(update={"selected": config.selected})
        entries.append(AirbyteStreamAndConfiguration(stream=stream, config=config))
    return AirbyteCatalog(streams=entries)


def field_differences(current: AirbyteCatalog, wanted: AirbyteCatalog) -> list[str]:
    """What becomes of the fields of the streams that are synced before and after, a line for each stream."""
    before, lines = {_key(each.stream): each.stream for each in current.streams if each.stream is not None}, []
    selected = _selected(wanted)
    for entry in wanted.streams:
        if entry.stream is None or _key(entry.stream) not in selected or _key(entry.stream) not in before:
            continue
        old, new = _fields(before[_key(entry.stream)]), _fields(entry.stream)
        changes = {
            "new": [name for name in new if name not in old],
            "gone": [name for name in old if name not in new],
            "changed": [name for name in new if name in old and old[name] != new[name]],
        }
        told = [f"{what} {', '.join(names)}" for what, names in changes.items() if names]
        if told:
            lines.append(f"stream {_title(_key(entry.stream))}: fields {'; '.join(told)}")
    return lines


def _fields(stream: AirbyteStream) -> Mapping[str, Any]:
    return (stream.json_schema or {}).get("properties") or {}
