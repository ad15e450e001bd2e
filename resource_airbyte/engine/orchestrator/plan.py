"""From a connection and a job to an attempt's assignment: catalog, generations and positions, as Airbyte's platform
sets them.

The rules are those of the platform's CatalogGenerationSetter, AttemptHandler and DefaultProtocolSerializer (compare
Airbyte 2.0): which streams begin a new generation, when older generations go, and how sync modes are told to a
destination.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...model.catalog import OF_THE_SOURCE
from ...protocol.messages import ConfiguredStream, Stream, StreamDescriptor

OVERWRITES = frozenset({"overwrite", "overwrite_dedup"})
# What a destination that keeps generations is told; it learns from the generations that older rows have to go.
WITH_GENERATIONS = {
    "overwrite": "append",
    "overwrite_dedup": "append_dedup",
    "update": "append",
    "soft_delete": "append",
}
WITHOUT_GENERATIONS = {"overwrite_dedup": "overwrite", "update": "append", "soft_delete": "append"}


@dataclass(frozen=True)
class Work:
    """What a job is to do: `refresh` is None, "truncate" or "merge"; `only` limits it to some streams (None: all).

    `clear`: nothing is read, and the streams end up empty; the named ones even if they are not selected any more.
    `backfill`: streams that are read from their beginning, since rows of before lack the values of new fields.
    `together`: the other selected streams are synced beside those of `only`, as they would be without a refresh.
    `owing`: streams whose rows of before are still to go, as after a clear that failed.
    `begun`: the sync modes of the streams that it has begun already. It goes on with them in these, whatever the
    connection says by now: what was loaded in another mode would be missing, or be taken out again.
    """

    refresh: str | None = None
    only: frozenset[StreamDescriptor] | None = None
    clear: bool = False
    backfill: frozenset[StreamDescriptor] = frozenset()
    together: bool = False
    owing: frozenset[StreamDescriptor] = frozenset()
    begun: Mapping[StreamDescriptor, str] = field(default_factory=dict)

    def covers(self, stream: StreamDescriptor, selected: bool) -> bool:
        if self.only is None or (self.together and stream not in self.only):
            return selected
        return stream in self.only and (selected or self.clear)

    def refreshes(self, stream: StreamDescriptor) -> str | None:
        """How this stream begins anew, if it does: "truncate", "merge", or "backfill" when nobody asked for a refresh
        of it.
        """
        if self.refresh is not None and (self.only is None or stream in self.only):
            return self.refresh
        return "backfill" if stream in self.backfill else None


@dataclass(frozen=True)
class PlannedStream:
    """A stream of the job: configured as the destination is to see it, and what becomes of its generation.

    `fields` are the top-level fields that may go to the destination, None for all.
    """

    configured: ConfiguredStream
    overwrites: bool
    refresh: str | None
    fields: tuple[str, ...] | None = None

    @property
    def descriptor(self) -> StreamDescriptor:
        return self.configured.descriptor

    def begins_generation(self, begun: bool) -> bool:
        """Whether this attempt starts a new generation, and with it forgets the stream's state; `begun`: the job has
        done so before.
        """
        if not begun and (self.configured.sync_mode == "full_refresh" or self.refresh is not None):
            return True
        return self.configured.begins_anew

    @property
    def truncates(self) -> bool:
        """Whether what was there before goes, if this attempt begins a generation, once the stream is complete."""
        whole = self.configured.begins_anew or self.configured.sync_mode == "full_refresh"
        return (whole and self.overwrites) or self.refresh == "truncate"


def planned(sync_catalog: Mapping[str, Any], work: Work, *, generations: bool) -> list[PlannedStream]:
    """The selected streams of a connection's syncCatalog (camelCase, as the API has it) that this job is to sync.

    `generations` tells whether the destination keeps generations itself.
    """
    streams = [_planned(entry, work, generations) for entry in sync_catalog.get("streams", [])]
    return [stream for stream in streams if stream is not None]


def _planned(entry: Mapping[str, Any], work: Work, generations: bool) -> PlannedStream | None:
    config = entry.get("config") or {}
    stream = _stream(entry["stream"], config)
    descriptor = StreamDescriptor(stream.name, stream.namespace)
    if not work.covers(descriptor, config.get("selected", True)):
        return None
    sync, mode = config.get("syncMode", "full_refresh"), config.get("destinationSyncMode", "append")
    sync = work.begun.get(descriptor, sync)
    if work.clear:  # an overwrite by no rows at all
        sync, mode = "full_refresh", "overwrite"
    if not generations and sync == "incremental" and descriptor in work.owing:
        mode = "overwrite"  # the one way to replace rows where no generations are kept
    names = WITH_GENERATIONS if generations else WITHOUT_GENERATIONS
    if not generations and mode in OVERWRITES:  # the next attempt would overwrite what this one has loaded
        stream.is_resumable = False
    cursor, key = _cursor(config, stream), config.get("primaryKey") or stream.source_defined_primary_key
    configured = ConfiguredStream(stream, sync, names.get(mode, mode), cursor, key or None)
    fields = tuple(stream.json_schema.get("properties", {})) if config.get("fieldSelectionEnabled") else None
    return PlannedStream(configured, mode in OVERWRITES, work.refreshes(descriptor), fields)


def _cursor(config: Mapping[str, Any], stream: Stream) -> list[str] | None:
    chosen: list[str] | None = config.get("cursorField")
    if stream.source_defined_cursor and stream.default_cursor_field:
        return stream.default_cursor_field
    return chosen or stream.default_cursor_field or None


def _stream(stream: Mapping[str, Any], config: Mapping[str, Any]) -> Stream:
    return Stream(
        name=stream["name"],
        json_schema=_selected(stream.get("jsonSchema") or {}, config),
        supported_sync_modes=list(stream.get("supportedSyncModes") or ["full_refresh"]),
        namespace=stream.get("namespace"),
        source_defined_cursor=stream.get("sourceDefinedCursor"),
        default_cursor_field=stream.get("defaultCursorField") or None,
        source_defined_primary_key=stream.get("sourceDefinedPrimaryKey") or None,
        is_resumable=stream.get("isResumable"),
        is_file_based=stream.get("isFileBased"),
    )


def _selected(schema: dict[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with only the selected top-level fields, where field selection is on.

    What a source adds to say that a row was deleted is not the user's to leave out: the row would stay for ever.
    """
    if not config.get("fieldSelectionEnabled"):
        return schema
    chosen = {path["fieldPath"][0] for path in config.get("selectedFields") or [] if path.get("fieldPath")}
    properties = {
        name: field
        for name, field in schema.get("properties", {}).items()
        if name in chosen or name.startswith(OF_THE_SOURCE)
    }
    required = [name for name in schema.get("required") or [] if name in properties]
    return {**schema, "properties": properties, **({"required": required} if "required" in schema else {})}
