"""One attempt of one job: opened in the store, prepared, run as a process, closed in the store."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from sqlalchemy.orm import Session

from ...errors import DatabaseUnreachable, DataDirUnusable, Fenced, NotFound, ResourceError
from ...protocol.messages import StreamDescriptor
from ..connectors.configurations.redact import Redactor
from ..connectors.known.catalog import Catalog, Connector
from ..connectors.launch import Launch
from ..store import actors, connections, jobs, states
from . import assignment as wire
from . import reasons, room
from .assign import assignment, kept, modes, refreshes
from .conversation import QUIET, Conversation
from .ending import closed
from .errands import Errands, Left
from .joblog import JobLog
from .memory import exceeded
from .opened import Heard, Opened
from .ready import ready
from .renewal import folded, outdated
from .schema_refresh import SchemaRefresh
from .settling import interrupt
from .tools import Tools

SAVE_STATS = 0.5  # seconds between two writes of an attempt's statistics
KILL_AFTER = 5.0  # seconds that a cancelled attempt has to end by itself
PATIENCE, PAUSE = 30.0, 0.25  # seconds that the database may be away, as when it is started anew, and between two tries
T = TypeVar("T")
log = logging.getLogger("worker")


@dataclass(frozen=True)
class Result:
    """How an attempt ended. `stopped`: it was told to end before it was done."""

    succeeded: bool = False
    stopped: bool = False


class Run:
    """One attempt. `run` blocks; `cancel` and `drain` come from other threads."""

    def __init__(self, tools: Tools, job_id: int, moved: Callable[[], None], number: int | None = None) -> None:
        """`moved` is called whenever something of it was stored. `number`: which attempt it is to be; one that comes
        when the job is further already does nothing.
        """
        self._tools, self.job_id, self._moved = tools, job_id, moved
        self.number = number
        self._schema = SchemaRefresh(tools, job_id)
        self._conversation: Conversation | None = None
        self._lock = threading.Lock()
        # Takes the secrets of both configurations out of a text; None as long as they are not all known.
        self.redact: Callable[[str], str] | None = None
        self._hurried, self._errands = threading.Event(), Errands()
        self.cancelled = False
        self.draining = False

    @property
    def _unwanted(self) -> bool:
        with self._lock:
            return self.cancelled or self.draining

    def run(self) -> Result | None:
        """The result; None when the job was over before it began, or somebody else has closed the attempt."""
        self._schema.run()
        opened = self._open()
        if opened is None:
            return None
        job = opened.assignment
        heard = Heard()
        level = self._tools.settings.log_level
        with JobLog(self._tools.log_dir, job.job, job.attempt, redact=opened.redact, level=level) as lines:
            try:
                self._schema.tell(lines)
                self._prepare(opened, lines)
                self.redact = opened.redact
                self._converse(opened, lines, heard)
            except (DatabaseUnreachable, DataDirUnusable) as error:
                heard.lost_store = error.told()
            except Left:
                text = "the attempt was ended before its connectors were ready"
                lines.line("INFO", "platform", f"{text}; what is being installed goes on")
                if not (self.cancelled or self.draining):
                    heard.failures.append(reasons.from_platform("system_error", text))
            except ResourceError as error:
                heard.failures.append(reasons.from_error(error))
            return self._close(opened, heard, lines)

    def cancel(self) -> None:
        """End it now: it is asked, and killed when it has not ended a little later."""
        with self._lock:
            self.cancelled = True
            conversation = self._conversation
        self._hurry()
        if conversation is not None:
            timer = threading.Timer(KILL_AFTER, conversation.kill)  # first: one that hangs may not even take a word
            timer.daemon = True
            timer.start()
            conversation.stop(drain=False)

    def drain(self) -> None:
        """Let it reach its next checkpoint."""
        with self._lock:
            self.draining = True
            conversation = self._conversation
        self._schema.end()
        self._errands.leave()
        if conversation is not None:
            conversation.stop(drain=True)

    def kill(self) -> None:
        self._hurry()
        conversation = self._conversation
        if conversation is not None:
            conversation.kill()

    def _hurry(self) -> None:
        """Wait for nothing any more that this attempt has yet to do."""
        self._hurried.set()
        self._schema.end()
        self._errands.leave()

    def _transaction(self, work: Callable[[Session], T]) -> T:
        """One transaction. While the database is away it is tried again, unless the attempt is to end at once."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self._tools.db.begin() as tx:
                    return work(tx)
            except (DatabaseUnreachable, DataDirUnusable):  # the latter: its disk is full
                if time.monotonic() > deadline or self._hurried.wait(PAUSE):
                    raise

    def _open(self) -> Opened | None:
        catalog = self._tools.catalog()
        opened = self._transaction(lambda tx: self._opened(tx, catalog))
        if opened is not None:
            self.number = opened.assignment.attempt
        return opened

    def _opened(self, tx: Session, catalog: Catalog) -> Opened | None:
        tools, job = self._tools, jobs.locked(tx, self.job_id)
        connection = connections.locked(tx, job.connection_id)
        earlier = len(jobs.attempts(tx, [job.id])[job.id])
        if job.finished or (self.number is not None and earlier != self.number):
            return None
        if self.number is None:  # one that we opened just now, if the answer to the commit was lost
            interrupt(tx, job.id)
        attempt = jobs.open_attempt(tx, job.id)
        source = catalog.get(actors.get(tx, connection.source_id).definition_id)
        destination = catalog.get(actors.get(tx, connection.destination_id).definition_id)
        mark = f"{tools.mark}:{job.id}:{attempt.number}."
        told = assignment(
            tx, job, attempt, box=tools.box, settings=tools.settings, mark=mark, generations=refreshes(destination)
        )
        return Opened(told, source, destination, connection.source_id, told.source.configuration)

    def _prepare(self, opened: Opened, lines: JobLog) -> None:
        """Install what is not installed, fill in what the configurations refer to, and say how both are started."""
        job = opened.assignment
        for side, connector in ((job.source, opened.source), (job.destination, opened.destination)):
            if side.native == wire.NOTHING:
                continue
            opened.redactors.append(self._redactor(connector, side.version, side.configuration))
            launch = self._installed(connector, side.version, lines)
            side.name, side.version = launch.name, launch.version
            side.argv, side.env, side.native = list(launch.argv), dict(launch.env), launch.native
            self._fill(opened, side, connector, lines)
        if job.destination.native != wire.NOTHING:
            paths = [self._tools.log_dir, *room.written_by(job.destination)]
            self._errands.run(lambda: room.check(paths, self._tools.settings.min_free_disk))
        how = modes(job.catalog.streams, job.targets) or "no streams"
        lines.line(
            "INFO",
            "platform",
            f"attempt {job.attempt + 1} of job {job.job}: {job.source.name} {job.source.version} → "
            f"{job.destination.name} {job.destination.version}: {how}",
        )

    def _installed(self, connector: Connector, version: str, lines: JobLog) -> Launch:
        def say(text: str) -> None:
            if not self._errands.left:  # the log is closed, or about to be
                lines.line("INFO", "platform", text)

        return self._errands.run(lambda: self._tools.launchers.prepare(connector, version, say))

    def _fill(self, opened: Opened, side: wire.Side, connector: Connector, lines: JobLog) -> None:
        """Anew for each attempt, so that a value that was corrected meanwhile is taken up by the next."""
        specs = self._tools.specs
        filled = self._errands.run(  # a keyring may ask somebody, and a file lie on a disk that does not answer
            lambda: ready(side.configuration, connector, lambda: specs.get(connector, side.version))
        )
        opened.filled[connector.kind] = filled
        side.configuration = filled.configuration
        opened.redactors.append(self._redactor(connector, side.version, filled.configuration, filled.secrets))
        for warning in filled.warnings:
            lines.line("WARN", "platform", f"{connector.short}: {warning}")

    def _redactor(
        self, connector: Connector, version: str, configuration: dict[str, Any], also: Iterable[str] = ()
    ) -> Redactor:
        spec = self._tools.specs.cached(connector, version) or {}
        return Redactor(configuration, spec.get("connectionSpecification"), also=also)

    def _converse(self, opened: Opened, lines: JobLog, heard: Heard) -> None:
        if self._unwanted:
            return
        conversation = Conversation(opened.assignment, lambda text: lines.line("ERROR", "replication", text))
        with self._lock:
            self._conversation = conversation
        if self._unwanted:  # since then, and whoever said so may not have known it yet
            conversation.kill()
        saved_at = 0.0
        try:
            conversation.begin()
            for batch in conversation.messages():
                self._handle(batch, opened, conversation, lines, heard)
                if heard.stats is not None and time.monotonic() - saved_at >= SAVE_STATS:
                    self._save_stats(opened.assignment, heard.stats)
                    saved_at = time.monotonic()
        except BaseException:  # what it says could not be stored: nothing of it may run beside the next attempt
            conversation.kill()
            conversation.end()
            raise
        code, words = conversation.end()
        if heard.finished is not None:
            heard.failures += heard.finished.failures
        elif conversation.overrun is not None:
            heard.failures.append(exceeded(conversation.overrun, opened.assignment.memory_limit))
        elif conversation.stuck:
            heard.failures.append(reasons.from_silence(QUIET))
        elif not (self.cancelled or (self.draining and conversation.killed)):
            heard.failures.append(reasons.from_death(code, words, conversation.shortage(code)))

    def _handle(
        self,
        batch: list[wire.FromAttempt],
        opened: Opened,
        conversation: Conversation,
        lines: JobLog,
        heard: Heard,
    ) -> None:
        """One batch: its checkpoints are stored in one transaction, then acknowledged together."""
        saved = [message for message in batch if isinstance(message, wire.Saved)]
        if saved:
            self._store(opened.assignment, saved, lines)
            heard.saved += len(saved)
            heard.kinds |= {message.position.kind for message in saved if message.position.state}
        for message in batch:
            if isinstance(message, wire.Line):
                lines.line(message.level, message.origin, message.text)
            elif isinstance(message, wire.Stats):
                heard.stats = message
            elif isinstance(message, wire.Finished):
                heard.finished = message
            elif isinstance(message, wire.Reconfigured):
                self._reconfigure(opened, message.configuration)
        numbers = [message.number for message in batch if isinstance(message, wire.Saved | wire.Reconfigured)]
        if numbers:
            conversation.ack(max(numbers))
            self._moved()

    def _reconfigure(self, opened: Opened, configuration: dict[str, Any]) -> None:
        """Rule 9: stored before the attempt hears anything else. What came from references stays a reference."""
        opened.redactors.append(self._redactor(opened.source, opened.assignment.source.version, configuration))
        kept = opened.filled["source"].kept(configuration)
        box = self._tools.box

        def store(tx: Session) -> None:
            self._check_fence(tx, opened.assignment)
            stored = box.open(actors.get(tx, opened.source_id).configuration)
            actors.configure(tx, opened.source_id, box.seal(folded(stored, opened.written, kept)))

        self._transaction(store)
        opened.written = kept

    def _check_fence(self, tx: Session, job: wire.Assignment) -> None:
        """An attempt that somebody has closed stores nothing any more, and ends: another one may be at work."""
        if not jobs.is_running(tx, job.job, job.attempt):
            raise Fenced(f"attempt {job.attempt + 1} of job {job.job} was taken for dead, and is ended")

    def _is_outdated(self, opened: Opened) -> bool:
        """Whether the source's configuration is another one by now, and not by this attempt's own doing."""
        try:
            actor = self._transaction(lambda tx: actors.get(tx, opened.source_id))
        except NotFound:
            return False
        return bool(self._tools.box.open(actor.configuration) != opened.written)

    def _store(self, job: wire.Assignment, saved: Iterable[wire.Saved], lines: JobLog) -> None:
        latest = {(m.position.kind, m.position.stream): m.position for m in saved}

        def store(tx: Session) -> list[wire.Position]:
            self._check_fence(tx, job)
            return [each for each in latest.values() if not _save(tx, job.connection_id, each)]

        for position in self._transaction(store):
            lines.line(
                "WARN",
                "platform",
                f"did not store checkpoint {position.sequence} of {position.stream}: it was overtaken",
            )

    def _save_stats(self, job: wire.Assignment, stats: wire.Stats) -> None:
        def store(tx: Session) -> None:
            self._check_fence(tx, job)
            jobs.save_stats(tx, job.job, job.attempt, _stats(job, stats.streams))

        self._transaction(store)

    def _close(self, opened: Opened, heard: Heard, lines: JobLog) -> Result | None:
        job, finished = opened.assignment, heard.finished
        stopped = self.cancelled or (self.draining and (finished is None or finished.stopped))
        if self.cancelled:
            heard.failures.append(reasons.from_platform("manual_cancellation", "the job was cancelled"))
        elif stopped:
            heard.failures.append(
                reasons.from_platform(
                    "system_error", "Airbyte was stopped; the next start goes on from the last checkpoint"
                )
            )
        elif heard.lost_store:
            heard.failures.append(
                reasons.from_platform(
                    "system_error", f"{heard.lost_store}; the next attempt goes on from the last checkpoint"
                )
            )
        elif heard.failures and self._is_outdated(opened):
            for failure in heard.failures:
                outdated(failure)
        succeeded = finished is not None and not heard.failures and not stopped
        counts = finished.streams if finished is not None else heard.stats.streams if heard.stats is not None else None
        stats = {**(_stats(job, counts) if counts is not None else {"streams": []}), "checkpoints": heard.saved}
        stats["interrupted"] = stopped or bool(heard.lost_store)
        for failure in heard.failures:
            lines.line("ERROR", "platform", reasons.in_log(failure))
        failures = [reasons.to_wire(failure, lines.redact, job.job, job.attempt) for failure in heard.failures]
        keep, held = kept(self._tools.settings), max((each.held or 0 for each in heard.failures), default=0) or None
        if not self._transaction(lambda tx: closed(tx, job, succeeded, stats, failures, keep, heard.kinds, held)):
            lines.line("WARN", "platform", f"attempt {job.attempt + 1} of job {job.job} had been closed already")
            return None
        how = "succeeded" if succeeded else "failed"
        lines.line("INFO", "platform", f"attempt {job.attempt + 1} of job {job.job} {how}")
        return Result(succeeded, stopped)


def _save(tx: Session, connection_id: str, position: wire.Position) -> bool:
    stream = position.stream
    key = states.StateKey(
        position.kind,  # type: ignore[arg-type]
        stream.namespace if stream else None,
        stream.name if stream else "",
    )
    return states.save(
        tx,
        connection_id,
        key,
        generation=position.generation,
        epoch=position.epoch,
        sequence=position.sequence,
        state=position.state or None,
    )


def _stats(job: wire.Assignment, streams: list[wire.StreamCounts]) -> dict[str, Any]:
    """The counts as they are stored. What waits to be seen belongs to the epoch that it was read in."""
    epochs = {target.stream: target.epoch for target in job.targets}
    return {
        "streams": [
            {**msgspec.to_builtins(each), "epoch": epochs.get(StreamDescriptor(each.name, each.namespace))}
            for each in streams
        ]
    }
