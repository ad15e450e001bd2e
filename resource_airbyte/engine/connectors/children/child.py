"""Connectors as child processes, behind the protocol's two seams.

Reading and writing are blocking calls on raw pipes, in threads: measured, asyncio's stream reader is 2.5 times slower.
"""

from __future__ import annotations

import subprocess
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from msgspec import DecodeError, Raw
from msgspec.json import Decoder, Encoder

from .... import process
from ....errors import ConnectorCrashed, ConnectorError, ConnectorFailed
from ....protocol.chunk import Chunk
from ....protocol.messages import (
    ConfiguredCatalog,
    ErrorTrace,
    Log,
    StreamDescriptor,
    decode_state,
    encode,
)
from ....protocol.reader import LineTooLong, events
from ....protocol.seams import (
    BadLine,
    Checkpoint,
    Ended,
    Event,
    NewConfiguration,
    SourceState,
    StateKey,
    StreamSetup,
    WriteSetup,
)
from .handover import handed_over
from .output import Output, widen
from .scratch import scratch, variables
from .shortage import Shortage

# A destination takes its input in pieces of so many bytes: each that it takes is a sign of life.
PIECE = 1 << 16
_fields = Decoder(dict[str, Raw]).decode
_value = Decoder().decode
_sorted = Encoder(order="deterministic").encode
# Seconds that a source may live on after it has closed its output: there is nothing left that it could do for us.
FAREWELL = 30.0


@dataclass(frozen=True)
class Program:
    """How to start a connector: the command that the protocol's arguments are appended to, and its environment."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]

    @property
    def mark(self) -> str:
        """What all of its processes bear, and nobody else."""
        return self.env.get(process.MARK, "")


class ChildSource:
    """A source in a process of its own. `line` gets each line of its stderr."""

    def __init__(
        self, program: Program, configuration: Mapping[str, Any], line: Callable[[str], None] | None = None
    ) -> None:
        self._program, self._configuration, self._line = program, configuration, line
        self._child: process.Child | None = None
        self._tail: process.Tail | None = None
        self._outstayed = False
        self._stopped = threading.Event()

    def read(self, catalog: ConfiguredCatalog, state: bytes | None) -> Iterator[Event]:
        documents = {"config": encode(self._configuration), "catalog": encode(catalog)}
        if state is not None:
            documents["state"] = state
        with scratch() as own, handed_over(documents) as given:
            child = process.start(
                [*self._program.argv, "read", *given.arguments],
                env={**self._program.env, **variables(own)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=given.descriptors,
            )
            self._child = child
            self._shortage = Shortage()
            self._tail = process.Tail(child.stderr, line=self._line) if child.stderr else None
            output = Output(child, self._program.mark)
            if self._stopped.is_set():  # stop() came before there was a process to stop
                child.end(grace=0)
            try:
                yield from events(output.read)
                self._outstayed = not output.wait(FAREWELL)
            except LineTooLong as error:
                raise ConnectorCrashed(f"{self._program.name} {error}", origin="source") from None
            finally:
                child.end(grace=0)
                output.wait()
                output.close()

    def ended(self) -> Ended:
        if self._child is None or self._child.code is None:
            raise ConnectorCrashed(f"{self._program.name} was asked how it ended while it was running", origin="source")
        how = self._shortage.told(self._child.code)
        if self._outstayed:
            how = f"closed its output, but had not ended {FAREWELL:.0f} s later"
        return Ended(self._child.code, self._tail.text() if self._tail else "", how)

    def stop(self) -> None:
        self._stopped.set()
        if self._child is not None:
            self._child.end(grace=0)


class ChildDestination:
    """A destination in a process of its own. It keeps no checkpoint that we could ask for: at least once (rule 5)."""

    def __init__(
        self,
        program: Program,
        configuration: Mapping[str, Any],
        catalog: ConfiguredCatalog,
        line: Callable[[str], None] | None = None,
    ) -> None:
        self._program, self._configuration, self._catalog, self._line = program, configuration, catalog, line
        # What each says, and which of them was returned last: see _returned.
        self._given: dict[StateKey, deque[tuple[bytes, Checkpoint]]] = defaultdict(deque)
        self._last: dict[StateKey, bytes] = {}
        self._counts: dict[StreamDescriptor, int | None] = {}
        self._error: Exception | None = None

    def open(self, setup: WriteSetup) -> list[Checkpoint]:
        self._setup = setup
        self._names = {stream.stream: stream for stream in setup.streams}
        self._originals: dict[StreamDescriptor, StreamDescriptor] = {}
        for stream in setup.streams:
            other = self._originals.setdefault(StreamDescriptor(stream.name, stream.namespace), stream.stream)
            if other != stream.stream:  # neither their rows nor their states could be told apart
                raise _alike(other, stream)
        documents = {"config": encode(self._configuration), "catalog": encode(self._catalog)}
        pipe = subprocess.PIPE
        # The documents stay handed over until close(): where they are files, nobody tells us when it has read them.
        self._held = ExitStack()
        env = {**self._program.env, **variables(self._held.enter_context(scratch()))}
        given = self._held.enter_context(handed_over(documents))
        argv = [*self._program.argv, "write", *given.arguments]
        self._child = process.start(argv, env=env, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=given.descriptors)
        assert self._child.stderr is not None
        widen(self._child.stdin)
        self._shortage = Shortage()
        self._output = Output(self._child, self._program.mark)
        self._tail = process.Tail(self._child.stderr, line=self._line)
        self._answers = threading.Thread(target=self._listen, daemon=True, name="destination answers")
        self._answers.start()
        return []

    def write(self, chunk: Chunk) -> None:
        setup = self._names[chunk.stream]
        same = (setup.name, setup.namespace) == (chunk.stream.name, chunk.stream.namespace)
        if same and setup.fields is None:
            self._send([*chunk.lines, b""])
        else:
            self._send([*_renamed(chunk, setup), b""])

    def state(self, *checkpoints: Checkpoint) -> None:
        for checkpoint in checkpoints:
            if checkpoint.payload:  # the protocol has no word for the end of one
                self._given[checkpoint.key].append((_said(checkpoint.payload), checkpoint))
                payload = _with_descriptor(checkpoint, self._names)
                self._send([b'{"type":"STATE","state":' + payload + b"}", b""])

    def flush(self) -> None:
        """Nothing to do: the protocol has no word for it; a destination commits when it sees fit."""

    def finish(self, complete: frozenset[StreamDescriptor]) -> dict[StreamDescriptor, int | None]:
        lines = [_status(setup, setup.stream in complete) for setup in self._setup.streams]
        self._send([*lines, b""])
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._output.wait()
        self._answers.join()
        self._raise(self._child.popen.wait())
        return {
            setup.stream: self._counts.get(setup.stream)
            for setup in self._setup.streams
            if setup.stream in complete or not _replaces(setup)
        }

    def working(self) -> bool:
        """From outside nobody sees what it does, only what it takes and says."""
        return False

    def close(self) -> None:
        if hasattr(self, "_child"):
            self._child.end(grace=0)
            self._output.wait()
            self._answers.join()
            self._output.close()
            if self._child.stdin is not None:
                with suppress(OSError):  # whoever should read what is left in the buffer is gone
                    self._child.stdin.close()
            self._held.close()

    def _send(self, lines: list[bytes]) -> None:
        assert self._child.stdin is not None
        if self._error is not None:
            raise self._error
        data = memoryview(b"\n".join(lines))
        try:
            for start in range(0, len(data), PIECE):
                self._child.stdin.write(data[start : start + PIECE])
                self._setup.progress()
            self._child.stdin.flush()
        except BrokenPipeError:
            code = self._child.end(grace=1)
            self._answers.join()
            self._raise(code or 1)

    def _raise(self, code: int) -> None:
        if self._error is not None:
            raise self._error
        if code != 0:
            how = self._shortage.told(code) or f"ended with exit code {code} before it had taken everything"
            message = f"{self._program.name} {how}"
            raise ConnectorCrashed(f"{message}: {self._tail.text()}".rstrip(": "), origin="destination")

    def _listen(self) -> None:
        try:
            for event in events(self._output.read):
                self._answer(event)
        except Exception as error:  # raised by whichever call of ours comes next
            if isinstance(error, LineTooLong):
                error = ConnectorCrashed(f"{self._program.name} {error}", origin="destination")
            self._error = self._error or error
            self._child.end(grace=0)

    def _answer(self, event: Event) -> None:
        if isinstance(event, SourceState):
            self._returned(event)
        elif isinstance(event, ErrorTrace):
            self._error = ConnectorFailed(
                event.told(),
                origin="destination",
                failure_type=event.failure_type or "system_error",
                details={"stack_trace": event.stack_trace or ""},
            )
        elif isinstance(event, Log):
            self._setup.log(event.level, event.message)
        elif isinstance(event, BadLine):
            self._setup.log("WARN", f"not a protocol message: {event.sample}")
        elif isinstance(event, NewConfiguration):
            self._setup.log("WARN", "the destination asked for a new configuration, which only sources may do")

    def _returned(self, event: SourceState) -> None:
        """Rule 1: only what the destination hands back is a checkpoint. States of one key come back in order. Of those
        before, which some leave out, it speaks too; and one that says what the last one said is no other.
        """
        key = event.key
        if key.stream is not None:
            key = StateKey("stream", self._originals.get(key.stream, key.stream))
        waiting, said = self._given[key], _said(event.payload)
        known = any(each == said for each, _ in waiting)
        if not waiting or (not known and said == self._last.get(key)):
            text = event.payload[:200].decode("utf-8", "replace")
            self._setup.log("WARN", f"the destination returned a state that nobody gave it, or one twice: {text}…")
            return
        self._count(key, event.payload)
        given, checkpoint = waiting.popleft()
        while known and given != said:
            given, checkpoint = waiting.popleft()
        self._last[key] = said
        self._setup.committed(checkpoint)

    def _count(self, key: StateKey, payload: bytes) -> None:
        stats = decode_state(payload).destinationStats
        if key.stream is not None and stats is not None and stats.recordCount is not None:
            count = self._counts[key.stream] = (self._counts.get(key.stream) or 0) + int(stats.recordCount)
            if key.stream in self._names and not _replaces(self._names[key.stream]):
                self._setup.counted(key.stream, count, 0)


def _alike(other: StreamDescriptor, stream: StreamSetup) -> ConnectorError:
    return ConnectorError(
        f"The streams {other} and {stream.stream} would both be {stream.name} at the destination",
        hint="Keep them apart by sync: {namespace: source}, or by a connection for each, with a prefix",
        failure_type="config_error",
        origin="destination",
    )


def _said(payload: bytes) -> bytes:
    """A digest of what a state says, however its JSON is written: not how many records it covers, nor whose it is."""
    found = decode_state(payload)
    streams = found.global_.stream_states if found.global_ else [found.stream] if found.stream else []
    parts = [found.global_.shared_state if found.global_ else found.data, *(each.stream_state for each in streams)]
    try:
        text = _sorted([_value(part) if part else None for part in parts])
    except (DecodeError, RecursionError):  # nested too deeply to be looked into
        text = b"\n".join(map(bytes, parts))
    return sha256(text).digest()


def _renamed(chunk: Chunk, setup: StreamSetup) -> list[bytes]:
    """The chunk's records under the destination's names, with the fields that it may have.

    Only the envelope is written anew, the data stays text.
    """
    name, namespace = encode(setup.name), encode(setup.namespace)
    head = b'{"type":"RECORD","record":{"stream":' + name
    if setup.namespace is not None:
        head += b',"namespace":' + namespace
    lines = []
    for record in chunk.records:
        meta = b',"meta":' + bytes(record.meta) if record.meta else b""
        data = bytes(record.data) if setup.fields is None else _chosen(record.data, setup.fields)
        lines.append(head + b',"emitted_at":%d%s,"data":%s}}' % (int(record.emitted_at), meta, data))
    return lines


def _chosen(data: Raw, fields: Collection[str]) -> bytes:
    """A record's data without the fields that its connection leaves out. What is no object has none."""
    try:
        whole = _fields(data)
    except DecodeError:
        return b"{}"
    return encode({name: value for name, value in whole.items() if name in fields})


def _with_descriptor(checkpoint: Checkpoint, names: Mapping[StreamDescriptor, StreamSetup]) -> bytes:
    """The state with the destination's name of its stream, where that differs from the source's."""
    import msgspec

    state: dict[str, Any] = {}
    if checkpoint.key.stream is not None:
        setup = names.get(checkpoint.key.stream)
        if setup is not None and (setup.name, setup.namespace) != (setup.stream.name, setup.stream.namespace):
            state = msgspec.json.decode(checkpoint.payload)
            state["stream"]["stream_descriptor"] = StreamDescriptor(setup.name, setup.namespace)
    return encode(state) if state else checkpoint.payload


def _replaces(setup: StreamSetup) -> bool:
    """Whether its rows take the place of others in the end; until then nobody here knows whether they can be seen."""
    return setup.truncates or setup.destination_sync_mode.startswith("overwrite")


def _status(setup: StreamSetup, complete: bool) -> bytes:
    import time

    trace = {
        "type": "STREAM_STATUS",
        "emitted_at": int(time.time() * 1000),
        "stream_status": {
            "stream_descriptor": StreamDescriptor(setup.name, setup.namespace),
            "status": "COMPLETE" if complete else "INCOMPLETE",
        },
    }
    return encode({"type": "TRACE", "trace": trace})
