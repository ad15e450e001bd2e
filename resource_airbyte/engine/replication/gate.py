"""The gate (rule 2): whether what an attempt moved is all that there was."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...protocol.messages import StreamDescriptor
from ...protocol.seams import Ended
from .counts import Counts, Fault

STDERR_LINES = 15


def complete(counts: Mapping[StreamDescriptor, Counts], ended_well: bool) -> frozenset[StreamDescriptor]:
    """The streams that are complete: they said so; or no stream said anything and the source ended well."""
    if any(count.status is not None for count in counts.values()):
        return frozenset(stream for stream, count in counts.items() if count.status == "COMPLETE")
    return frozenset(counts) if ended_well else frozenset()


def judge_source(
    counts: Mapping[StreamDescriptor, Counts], ended: Ended, failed: bool, lost: int, sample: str = ""
) -> list[Fault]:
    """What is wrong with a source that has ended.

    `failed`: it sent an ERROR trace; `lost`: how many lines it garbled, `sample` is one. An exit code is no
    judgement on streams that said COMPLETE: all of their records are here, and libraries that crash while they tidy up
    are many.
    """
    faults = []
    if lost:
        count = "1 line" if lost == 1 else f"{lost} lines"
        message = f"{count} of the source could not be read, so records may be missing; the first begins: {sample}"
        faults.append(Fault("source", "system_error", message))
    done = complete(counts, ended_well=ended.code == 0 and not failed)
    missing = [stream for stream in counts if stream not in done]
    if ended.code != 0 and not failed and (missing or not counts):
        faults.append(Fault("source", "system_error", death(ended), internal=ended.stderr or None))
    if missing and not faults and not failed:
        faults += [Fault("source", "transient_error", _incomplete(s, counts[s]), stream=s) for s in missing]
    return faults


def judge_counts(counts: Mapping[StreamDescriptor, Counts], done: Collection[StreamDescriptor]) -> list[Fault]:
    """Records read = handed over = committed, for every stream that is complete; unknown is not equal, and not
    different.
    """
    faults = []
    for stream in done:
        count = counts[stream]
        if count.handed != count.read:
            faults.append(_difference(stream, "read from the source", count.read, "handed over", count.handed))
        elif count.committed is not None and count.committed != count.handed:
            faults.append(
                _difference(stream, "handed over", count.handed, "committed by the destination", count.committed)
            )
    return faults


def judge_strangers(
    counts: Mapping[StreamDescriptor, Counts], strangers: Mapping[StreamDescriptor, int]
) -> list[Fault]:
    """Records that came under another name than was asked for are missing from the stream that they belong to.

    So it is when a source leaves a namespace out, or puts one in: to none of its records a stream would be emptied.
    """
    faults = []
    for found, records in strangers.items():
        for stream, count in counts.items():
            other = stream.name == found.name and None in (stream.namespace, found.namespace)
            if other and records and not count.read:
                message = (
                    f"stream {stream}: no records came of it, but {records:,} of {found}, which was not asked for; "
                    "the source names it otherwise than it was discovered"
                )
                faults.append(Fault("source", "system_error", message, stream=stream))
    return faults


def covers_strangers(
    stream: StreamDescriptor | None,
    counts: Mapping[StreamDescriptor, Counts],
    strangers: Mapping[StreamDescriptor, int],
) -> bool:
    """Whether a state of this stream (None: of all) speaks of records that came under a name nobody asked for."""
    missed = {fault.stream for fault in judge_strangers(counts, strangers)}
    return bool(missed) if stream is None else stream in missed


def overclaimed(counts: Mapping[StreamDescriptor, Counts]) -> list[str]:
    """Where a source has counted more than it has sent: it may have counted wrongly, so this is only told."""
    return [
        f"stream {stream}: the source counted {count.claimed:,} records, but sent {count.read:,}"
        for stream, count in counts.items()
        if count.claimed > count.read
    ]


def _difference(stream: StreamDescriptor, before: str, more: int, after: str, less: int) -> Fault:
    message = f"stream {stream}: {more:,} records {before}, but {less:,} {after}: a difference of {more - less:,}"
    return Fault("replication", "system_error", message, stream=stream)


def death(ended: Ended) -> str:
    """How a source ended that did not end well, with the last lines of its stderr."""
    how = f"was killed by signal {-ended.code}" if ended.code < 0 else f"ended with exit code {ended.code}"
    tail = "\n".join(ended.stderr.splitlines()[-STDERR_LINES:])
    told = ended.how or f"{how} without saying why"
    return f"the source {told}" + (f"; its last words were:\n{tail}" if tail else "")


def _incomplete(stream: StreamDescriptor, count: Counts) -> str:
    if count.status is None:
        return f"stream {stream}: the source ended without a word about it, though it reported on other streams"
    return f"stream {stream}: the source ended while the stream was {count.status}, so it is not complete"
