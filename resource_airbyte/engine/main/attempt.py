"""The process of one attempt: it is told what to do over a socket, and tells what happened over the same.

It never opens the metadata database, and it ends when its parent's end of the socket closes. Run as
`python -m resource_airbyte.engine.main.attempt DESCRIPTOR`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from ... import process
from ...protocol.messages import ConfiguredCatalog, ConfiguredStream, Stream, StreamDescriptor
from ...protocol.seams import Checkpoint, Destination, Source, StateKey, StreamSetup, WriteSetup
from ...protocol.shared import members
from ..connectors.children import scratch
from ..connectors.children.child import ChildDestination, ChildSource, Program
from ..orchestrator import assignment as wire
from ..replication.counts import Counts, Fault
from ..replication.nothing import Nothing
from ..replication.positions import Former
from ..replication.replicate import Replication

BEAT = 5.0  # seconds between two signs of life


class Channel:
    """The socket to the parent. Messages out may come from any thread; those that want an answer are numbered."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._incoming = self._socket.makefile("rb")
        self._write = threading.Lock()
        self._acked = threading.Condition()
        self._number = 0
        self._stored = 0

    def assignment(self) -> wire.Assignment:
        message = wire.from_parent(self._incoming.readline())
        assert isinstance(message, wire.Assignment)
        return message

    def listen(self, stop: Callable[[bool], None]) -> None:
        """Handle what the parent says until its end closes; then nobody is left to work for."""
        try:
            with contextlib.suppress(ConnectionError):  # killed with something of ours unread: as good as closed
                for line in self._incoming:
                    self._heed(wire.from_parent(line), stop)
            process.sweep(process.mine())
            scratch.leave()
        finally:  # whatever that meets: what nobody hears does not stay
            os._exit(1)

    def _heed(self, message: Any, stop: Callable[[bool], None]) -> None:
        if isinstance(message, wire.Stop):
            stop(message.drain)
        elif isinstance(message, wire.Ack):
            with self._acked:
                self._stored = max(self._stored, message.number)
                self._acked.notify_all()

    def beat(self) -> None:
        """Say now and then that this process is alive, for as long as it is."""
        over = threading.Event()  # never set: it ends with the process
        while not over.wait(BEAT):
            self.send(wire.Beat())

    def send(self, message: Any) -> None:
        data = wire.encode(message) + b"\n"
        with self._write:
            self._say(data)

    def _say(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:  # nobody is there any more: `listen` ends this process, after the connectors
            threading.Event().wait()

    def numbered(self, make: Callable[[int], Any]) -> int:
        """Send a message that the parent acknowledges; returns its number."""
        with self._write:
            self._number += 1
            self._say(wire.encode(make(self._number)) + b"\n")
            return self._number

    def wait_stored(self, number: int | None = None) -> None:
        """Until the parent has stored everything up to this number; by default all that was sent."""
        wanted = self._number if number is None else number
        with self._acked:
            self._acked.wait_for(lambda: self._stored >= wanted)


class Teller:
    """The replication's Report: everything goes over the channel."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def committed(self, checkpoint: Checkpoint) -> None:
        position = wire.Position(
            checkpoint.key.kind,
            checkpoint.key.stream,
            checkpoint.generation,
            checkpoint.epoch,
            checkpoint.sequence,
            checkpoint.payload.decode(),
        )
        self._channel.numbered(lambda number: wire.Saved(number, position))

    def progress(self, counts: dict[StreamDescriptor, Counts]) -> None:
        self._channel.send(wire.Stats(told(counts)))

    def line(self, level: str, origin: str, text: str) -> None:
        self._channel.send(wire.Line(level, origin, text))

    def reconfigured(self, configuration: dict[str, Any]) -> None:
        number = self._channel.numbered(lambda number: wire.Reconfigured(number, "source", configuration))
        self._channel.wait_stored(number)


def told(counts: dict[StreamDescriptor, Counts]) -> list[wire.StreamCounts]:
    return [
        wire.StreamCounts(
            stream.name,
            stream.namespace,
            records_emitted=count.read,
            bytes_emitted=count.size,
            state_messages_emitted=count.states,
            records_committed=count.durable,
            records_waiting=count.waiting or None,
            estimated_records=count.estimated_records,
            estimated_bytes=count.estimated_bytes,
            status=count.status,
            additional_stats=_more(count) or None,
        )
        for stream, count in counts.items()
    ]


def _more(count: Counts) -> dict[str, float]:
    """What Airbyte has no name for; the source's own count only where it has counted more than it has sent."""
    more: dict[str, float] = {}
    if count.seconds is not None:
        more["seconds"] = round(count.seconds, 3)
    if count.claimed > count.read:
        more["claimed"] = count.claimed
    return more


def failure(fault: Fault) -> wire.Failure:
    return wire.Failure(
        fault.origin,
        fault.type,
        fault.message,
        fault.internal,
        fault.stacktrace,
        fault.stream,
        fault.from_trace,
        time.time(),
        fault.held,
    )


def checkpoint(position: wire.Position) -> Checkpoint:
    key = StateKey(position.kind, position.stream)
    return Checkpoint(key, position.generation, position.epoch, position.sequence, (position.state or "").encode())


def formers(position: wire.Position) -> list[Former]:
    return [Former(each.epoch, each.sequence, frozenset(each.without)) for each in position.formers]


def expected(job: wire.Assignment) -> Iterator[Checkpoint]:
    """What the destination must hold. Of a state that several streams share, also the last one that the store was told
    of before some of them began again, if there are others here that go on from it.
    """
    targets = {target.stream for target in job.targets}
    for position in job.positions:
        if not position.state:
            continue
        known = checkpoint(position)
        yield known
        if position.formers and not targets.isdisjoint(members(msgspec.json.decode(known.payload))):
            yield replace(known, epoch=position.formers[0].epoch, sequence=position.formers[0].sequence)


def setup(job: wire.Assignment) -> WriteSetup:
    pairs = zip(job.catalog.streams, job.targets, strict=True)
    return WriteSetup(
        job.connection_id,
        job.fence,
        tuple(_stream(job, configured, target) for configured, target in pairs),
        tuple(expected(job)),
        job.commit_interval,
        first_fence=job.first_fence,
    )


def _stream(job: wire.Assignment, configured: ConfiguredStream, target: wire.Target) -> StreamSetup:
    return StreamSetup(
        stream=target.stream,
        name=target.name,
        namespace=target.namespace,
        json_schema=configured.stream.json_schema,
        destination_sync_mode=configured.destination_sync_mode,
        primary_key=tuple(tuple(path) for path in configured.primary_key or ()),
        cursor=tuple(configured.cursor_field or ()),
        generation=target.generation,
        minimum_generation=target.minimum_generation,
        sync_id=job.job,
        epoch=target.epoch,
        sequence=target.sequence,
        begins_anew=configured.begins_anew,
        fields=None if target.fields is None else frozenset(target.fields),
    )


def destination_catalog(job: wire.Assignment) -> ConfiguredCatalog:
    """The catalog in the destination's names, with the generations that it needs (protocol 0.3: generation_id and so
    on).
    """
    streams = []
    for configured, target in zip(job.catalog.streams, job.targets, strict=True):
        old = configured.stream
        stream = Stream(target.name, old.json_schema, old.supported_sync_modes, target.namespace)
        streams.append(
            ConfiguredStream(
                stream,
                configured.sync_mode,
                configured.destination_sync_mode,
                configured.cursor_field,
                configured.primary_key,
                target.generation,
                target.minimum_generation,
                job.job,
            )
        )
    return ConfiguredCatalog(streams)


def build_source(job: wire.Assignment, teller: Teller) -> Source:
    if job.source.native == wire.NOTHING:
        return Nothing()
    return ChildSource(
        _program(job, job.source, "source"), job.source.configuration, lambda text: teller.line("INFO", "source", text)
    )


def build_destination(job: wire.Assignment, teller: Teller) -> Destination:
    side = job.destination
    if side.native is not None:
        from ... import native

        return native.destination(side.native, side.configuration)
    program = _program(job, side, "destination")
    return ChildDestination(
        program, side.configuration, destination_catalog(job), lambda text: teller.line("INFO", "destination", text)
    )


def _program(job: wire.Assignment, side: wire.Side, role: str) -> Program:
    """The mark begins with the attempt's, so that whoever clears up after that finds it too."""
    return Program(side.name, side.argv, {**side.env, process.MARK: f"{job.mark}{role}"})


def main() -> None:
    channel = Channel(int(sys.argv[1]))
    job = channel.assignment()
    teller = Teller(channel)
    replication = Replication(
        build_source(job, teller),
        lambda: build_destination(job, teller),
        job.catalog,
        setup(job),
        [checkpoint(position) for position in job.positions],
        teller,
        formers=[former for position in job.positions for former in formers(position)],
        fresh=job.fresh,
        source_silence=job.source_silence,
        destination_silence=job.destination_silence,
    )
    listener = threading.Thread(
        target=channel.listen, args=(lambda drain: replication.stop(drain=drain),), daemon=True, name="parent"
    )
    listener.start()
    threading.Thread(target=channel.beat, daemon=True, name="beat").start()
    outcome = replication.run()
    channel.wait_stored()
    channel.send(wire.Finished(told(outcome.counts), [failure(fault) for fault in outcome.faults], outcome.stopped))
    # Nothing is left to do, and libraries that tidy up after themselves only make the caller wait.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
