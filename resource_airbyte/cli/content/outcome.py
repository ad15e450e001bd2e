"""How a job ended: the table of its streams, the first rows of its tables, and why it failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from resource_airbyte.cli.content.progress import Key, Watched, title
from resource_airbyte.cli.result import Table
from resource_airbyte.cli.words import size

if TYPE_CHECKING:
    from resource_airbyte.model.connections import ConnectionRead, TablePreview
    from resource_airbyte.model.jobs import AttemptStats, FailureReason, JobInfoRead, JobRead

UNKNOWN = "unknown"
# A preview is a glance: what does not fit on a screen is left out, and said to be.
MOST_COLUMNS, MOST_TABLES = 8, 10
SHORTEST = 0.05  # seconds; what is less is shown as 0.0


@dataclass
class StreamOutcome:
    """One stream of a job. `committed` None: the destination did not say; seconds: from first to last record."""

    stream: str
    records: int
    committed: int | None
    bytes: int
    seconds: float
    state: str

    @property
    def rate(self) -> float | None:
        """Records per second; None for a time so short that it says nothing."""
        return self.records / self.seconds if self.seconds >= SHORTEST and self.records else None


def streams(info: JobInfoRead, connection: ConnectionRead | None, watched: Watched) -> list[StreamOutcome]:
    """Every stream that the job was about, also those of which no record came."""
    selected: list[Key] = []
    for entry in connection.sync_catalog.streams if connection else ():
        if entry.stream is not None and entry.config is not None and entry.config.selected is not False:
            selected.append((entry.stream.namespace, entry.stream.name))
    if info.job.enabled_streams:
        enabled = {(each.namespace, each.name) for each in info.job.enabled_streams}
        selected = [key for key in selected if key in enabled] or sorted(enabled, key=str)
    stats = _stats(info)
    return [_outcome(key, stats.get(key, []), info, watched) for key in dict.fromkeys([*selected, *stats])]


def _stats(info: JobInfoRead) -> dict[Key, list[AttemptStats]]:
    """The counts of each stream, attempt by attempt."""
    found: dict[Key, list[AttemptStats]] = {}
    for attempt in info.attempts:
        for each in attempt.attempt.stream_stats or ():
            found.setdefault((each.stream_namespace, each.stream_name), []).append(each.stats)
    return found


def _outcome(key: Key, stats: list[AttemptStats], info: JobInfoRead, watched: Watched) -> StreamOutcome:
    # One attempt that does not know what was committed makes the sum unknown, not smaller.
    committed = None if any(each.records_committed is None for each in stats) else 0
    if committed is not None:
        committed = sum(each.records_committed or 0 for each in stats)
    records = sum(each.records_emitted or 0 for each in stats)
    return StreamOutcome(
        stream=title(key),
        records=records,
        committed=committed,
        bytes=sum(each.bytes_emitted or 0 for each in stats),
        seconds=_seconds(key, stats, watched),
        state=_state(records, committed, info.job),
    )


def _seconds(key: Key, stats: list[AttemptStats], watched: Watched) -> float:
    """As the engine counted them, else (a stock Airbyte does not) as they were seen."""
    counted = [(each.additional_stats or {}).get("seconds") for each in stats]
    if any(seconds is not None for seconds in counted):
        return float(sum(seconds or 0.0 for seconds in counted))
    seen = watched.streams.get(key)
    if seen is None:
        return 0.0
    span = seen.changed - seen.began
    # A stream that came and went between two looks took no longer than the job.
    return span if span > 0 or len(watched.streams) > 1 else watched.seconds


def _state(records: int, committed: int | None, job: JobRead) -> str:
    if job.status != "succeeded":
        return {"failed": "failed", "cancelled": "cancelled"}.get(job.status, "running")
    if job.config_type in ("clear", "reset_connection"):
        return "emptied"
    if not records:
        return "nothing new"
    return "synced" if committed is not None else "synced, commit unknown"


def table(outcomes: list[StreamOutcome], watched: Watched) -> Table:
    """The streams, and their sum where there are several."""
    rows: list[list[Any]] = [
        [
            each.stream,
            each.records,
            _committed(each.committed),
            size(each.bytes),
            each.seconds,
            _whole(each.rate),
            each.state,
        ]
        for each in outcomes
    ]
    if len(outcomes) > 1:
        rows.append(_sum(outcomes, watched))
    return Table(("stream", "records", "committed", "bytes", "seconds", "records/s", "state"), rows)


def _sum(outcomes: list[StreamOutcome], watched: Watched) -> list[Any]:
    records, seconds = sum(each.records for each in outcomes), watched.seconds
    known = [each.committed for each in outcomes if each.committed is not None]
    committed = sum(known) if len(known) == len(outcomes) else None
    rate = records / seconds if seconds > 0 and records else None
    total = size(sum(each.bytes for each in outcomes))
    return ["all", records, _committed(committed), total, seconds, _whole(rate), ""]


def _committed(count: int | None) -> int | str:
    return UNKNOWN if count is None else count


def _whole(rate: float | None) -> int | None:
    return None if rate is None else round(rate)


def as_data(outcomes: list[StreamOutcome]) -> list[dict[str, Any]]:
    """The streams for programs."""
    return [
        {**asdict(each), "seconds": round(each.seconds, 3), "records_per_second": _whole(each.rate)}
        for each in outcomes
    ]


def failures(info: JobInfoRead) -> list[FailureReason]:
    """Why the last attempt failed."""
    last = info.attempts[-1].attempt if info.attempts else None
    summary = last.failure_summary if last is not None and last.status != "succeeded" else None
    return summary.failures if summary else []


def warnings(info: JobInfoRead) -> list[str]:
    """What is odd about the last attempt, though it need not have failed."""
    last = info.attempts[-1].attempt if info.attempts else None
    told = []
    for each in last.stream_stats or () if last is not None else ():
        claimed, sent = (each.stats.additional_stats or {}).get("claimed") or 0, each.stats.records_emitted or 0
        if claimed > sent:
            key = (each.stream_namespace, each.stream_name)
            told.append(f"stream {title(key)}: the source counted {claimed:,.0f} records, but sent {sent:,}")
    return told


def preview(tables: list[TablePreview], file: str | None) -> list[str | Table]:
    """The first rows of the first tables, without the columns that are the destination's own."""
    blocks: list[str | Table] = []
    for each in tables[:MOST_TABLES]:
        columns = [index for index, name in enumerate(each.columns) if not name.startswith("_airbyte_")]
        names = [each.columns[index] for index in columns[:MOST_COLUMNS]]
        rows = [[_readable(row[index]) for index in columns[:MOST_COLUMNS]] for row in each.rows]
        where = f" of {file}" if file else ""
        count = f"{each.row_count:,} row{'' if each.row_count == 1 else 's'}"
        blocks += ["", f"{title((each.stream_namespace, each.stream_name))}: {count} in {each.table}{where}"]
        if rows and names:
            blocks.append(Table(names, rows))
        if rows and len(columns) > MOST_COLUMNS:
            blocks.append(f"… and {len(columns) - MOST_COLUMNS} more columns")
    if len(tables) > MOST_TABLES:
        blocks += ["", f"… and {len(tables) - MOST_TABLES} more tables"]
    return blocks


def _readable(value: Any) -> Any:
    """A value as a short text: these are somebody's data, not our counts, so that numbers get no commas."""
    if value is None or isinstance(value, bool):
        return value
    text = str(value) if not isinstance(value, dict | list) else _json(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str)
