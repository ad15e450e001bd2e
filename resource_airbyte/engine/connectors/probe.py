"""spec, check, discover and preview: one question to a connector in a process of its own, one answer.

What counts, in this order: a connection that the connector itself calls failed is an answer; an ERROR trace is a
failure whatever the exit code (rule 8); an answer; its time being up; its end without an answer. All that it says is
freed of the configuration's secrets before anybody else sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ... import process
from ...errors import ConnectorCrashed, ConnectorError, ConnectorFailed, ConnectorTimeout
from ...protocol.messages import ErrorTrace, Message, decode, encode
from ...protocol.reader import LineTooLong
from ...protocol.salvage import UNREADABLE, salvaged
from .children.handover import handed_over
from .children.listen import Listener
from .children.scratch import scratch
from .configurations.redact import Redactor
from .launch import Launch

TICK = 10.0  # seconds between two signs of life for whoever waits
FAREWELL = 10.0  # seconds that a connector may take to end after its answer
SAMPLES = 3
SAMPLE = 200
STDERR_LINES = 20
FAILURE_TYPES = ("config_error", "system_error", "transient_error")

decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class _Preview(msgspec.Struct):
    type: str
    preview: dict[str, Any]


def _ignore(*_: object) -> None:
    """For whoever does not want to hear."""


@dataclass(frozen=True)
class Ears:
    """Who hears what while a probe runs, from the thread that runs it.

    `log` gets (level, text) of each LOG line, `waiting` a sentence every ten seconds, `keep` a new configuration, which
    it must store before it returns: the connector's old one may be void already (rule 9).
    """

    log: Callable[[str, str], None] = _ignore
    waiting: Callable[[str], None] = _ignore
    keep: Callable[[dict[str, Any]], None] = _ignore


DEAF = Ears()


@dataclass(frozen=True)
class Answer:
    """What the connector answered, and the new configurations that it asked to keep, in order."""

    payload: dict[str, Any]
    configurations: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class _Question:
    """`setting` is the environment variable that allows it more time."""

    verb: str
    wanted: str
    setting: str


SPEC = _Question("spec", "SPEC", "AIRBYTE_SPEC_TIMEOUT")
CHECK = _Question("check", "CONNECTION_STATUS", "AIRBYTE_CHECK_TIMEOUT")
DISCOVER = _Question("discover", "CATALOG", "AIRBYTE_DISCOVER_TIMEOUT")
PREVIEW = _Question("preview", "PREVIEW", "AIRBYTE_PREVIEW_TIMEOUT")


def spec(launch: Launch, timeout: float, *, ears: Ears = DEAF) -> Answer:
    """The connector's specification: the payload of its SPEC message. `timeout` is in seconds, here and below.

    Raises, as all of these do, ConnectorFailed, ConnectorCrashed or ConnectorTimeout.
    """
    return _ask(SPEC, launch, None, timeout, ears)


def check(
    launch: Launch,
    configuration: Mapping[str, Any],
    timeout: float,
    *,
    spec: Mapping[str, Any] | None = None,
    secrets: Iterable[str] = (),
    ears: Ears = DEAF,
) -> Answer:
    """Whether the connector can work with this configuration: {"status": "SUCCEEDED" | "FAILED", "message"?}.

    `spec` (the connection specification) tells which values are secret, here and below; `secrets` are more of them.
    """
    return _ask(CHECK, launch, configuration, timeout, ears, spec=spec, secrets=secrets)


def discover(
    launch: Launch,
    configuration: Mapping[str, Any],
    timeout: float,
    *,
    spec: Mapping[str, Any] | None = None,
    secrets: Iterable[str] = (),
    ears: Ears = DEAF,
) -> Answer:
    """What the source could read: the payload of its CATALOG message, {"streams": […]}."""
    return _ask(DISCOVER, launch, configuration, timeout, ears, spec=spec, secrets=secrets)


def preview(
    launch: Launch,
    configuration: Mapping[str, Any],
    arguments: Mapping[str, Any],
    timeout: float,
    *,
    spec: Mapping[str, Any] | None = None,
    secrets: Iterable[str] = (),
    ears: Ears = DEAF,
) -> Answer:
    """Some rows of the tables that a native destination holds, {"tables": […]}.

    `arguments`: "catalog", the configured catalog whose tables are meant, and "limit", rows per table.
    """
    return _ask(PREVIEW, launch, configuration, timeout, ears, spec=spec, secrets=secrets, arguments=arguments)


def _ask(
    question: _Question,
    launch: Launch,
    configuration: Mapping[str, Any] | None,
    timeout: float,
    ears: Ears,
    *,
    spec: Mapping[str, Any] | None = None,
    secrets: Iterable[str] = (),
    arguments: Mapping[str, Any] | None = None,
) -> Answer:
    probe = _Probe(question, launch, timeout, ears, Redactor(configuration, spec, also=secrets))
    documents = {} if configuration is None else {"config": encode(configuration)}
    words = []
    for name, value in (arguments or {}).items():
        if isinstance(value, Mapping):
            documents[name] = encode(value)
        else:
            words += [f"--{name}", str(value)]
    with scratch() as own, handed_over(documents) as given:
        return probe.run([question.verb, *given.arguments, *words], given.descriptors, own)


@dataclass
class _Probe:
    """One question being asked: what has been heard so far, and the judgement at the end."""

    question: _Question
    launch: Launch
    timeout: float
    ears: Ears
    redact: Redactor
    answer: dict[str, Any] | None = None
    configurations: list[dict[str, Any]] = field(default_factory=list)
    error: ErrorTrace | None = None
    foreign: int = 0
    samples: list[str] = field(default_factory=list)
    last_complaint: str = ""
    listener: Listener | None = None

    def run(self, arguments: list[str], descriptors: tuple[int, ...], own: Path) -> Answer:
        started = time.monotonic()
        child = self._start(arguments, descriptors, own)
        self.listener = Listener(child, self.line, self.timeout)
        try:
            code = self.listener.run(lambda: self._still_trying(time.monotonic() - started), TICK)
        except LineTooLong as error:
            raise self._crashed(str(error)) from None
        finally:
            process.sweep(self.launch.env.get(process.MARK, ""))
        return self._judge(code)

    def _start(self, arguments: list[str], descriptors: tuple[int, ...], own: Path) -> process.Child:
        try:
            return self.launch.start(arguments, descriptors, own)
        except OSError as error:
            raise self._crashed(f"cannot be started ({error.strerror}: {self.launch.argv[0]})") from error

    def line(self, raw: bytes) -> None:
        """Hear one line. Reading it may fail, which makes it a foreign one; acting on it happens outside of that."""
        try:
            message = decode(raw)
        except UNREADABLE:
            found = salvaged(raw)
            if found is None:
                self._foreign(raw)
                return
            message, raw = found
        try:
            payload = self._payload(message, raw)
        except UNREADABLE:
            self._foreign(raw)
            return
        if payload is not None:
            self._answered(payload)
        else:
            self._other(message)

    def _payload(self, message: Message, raw: bytes) -> dict[str, Any] | None:
        """The answer, if that is what the message holds."""
        if message.type != self.question.wanted:
            return None
        if message.type == "PREVIEW":
            return msgspec.json.decode(raw, type=_Preview).preview
        if message.type == "CONNECTION_STATUS":
            status = message.connectionStatus
            if status is None or status.status not in ("SUCCEEDED", "FAILED"):
                raise msgspec.ValidationError("a connection status without a status")
            said = {} if status.message is None else {"message": self.redact(status.message)}
            return {"status": status.status, **said}
        name, field_type = ("connectionSpecification", dict) if message.type == "SPEC" else ("streams", list)
        payload = decode_object(message.spec if message.type == "SPEC" else message.catalog)
        if not isinstance(payload.get(name), field_type):
            raise msgspec.ValidationError(f"an answer without {name}")
        return payload

    def _answered(self, payload: dict[str, Any]) -> None:
        if self.answer is None:
            self.answer = payload
            if self.listener is not None:
                self.listener.hurry(FAREWELL)

    def _other(self, message: Message) -> None:
        if message.log is not None:
            text = self.redact(message.log.message)
            if message.log.level in ("FATAL", "ERROR"):
                self.last_complaint = text
            self.ears.log(message.log.level, text)
        elif message.trace is not None:
            unsaid = ErrorTrace() if message.trace.type == "ERROR" else None
            self.error = self.error or message.trace.error or unsaid
        elif message.control is not None and message.control.connectorConfig is not None:
            configuration = message.control.connectorConfig.config
            self.ears.keep(configuration)
            self.configurations.append(configuration)

    def _foreign(self, raw: bytes) -> None:
        self.foreign += 1
        if len(self.samples) < SAMPLES:
            # Redacted before it is cut, or the cut could leave half a secret that no longer looks like one.
            text = self.redact(raw[: 64 * SAMPLE].decode("utf-8", "replace") + ("…" if len(raw) > 64 * SAMPLE else ""))
            self.samples.append(text[:SAMPLE])
            self.ears.log("WARN", f"{self.launch.label} wrote what is not the protocol: {text[:SAMPLE]}")

    def _still_trying(self, elapsed: float) -> None:
        verb = self.question.verb
        self.ears.waiting(f"{self.launch.label} {verb}: still trying ({elapsed:.0f} s of at most {self.timeout:g} s)")

    def _judge(self, code: int | None) -> Answer:
        if self.error is not None and (self.answer is None or self.answer.get("status") != "FAILED"):
            raise self._failed(self.error)
        if self.answer is not None:
            if code != 0:
                how = "had to be ended" if code is None else f"ended with {_exit(code)}"
                self.ears.log("WARN", f"{self.launch.label} answered {self.question.verb}, then {how}")
            return Answer(self.answer, tuple(self.configurations))
        if code is None:
            raise self._timed_out()
        if code != 0:
            raise self._crashed(f"crashed during {self.question.verb} ({_exit(code)})")
        raise self._crashed(f"ended without an answer to {self.question.verb}")

    def _failed(self, error: ErrorTrace) -> ConnectorFailed:
        message = self.redact(error.told())
        details = {"internal_message": error.internal_message, "stack_trace": error.stack_trace}
        wrong = "the connector" if self.question is SPEC else "its configuration"
        if error.stream_descriptor is not None:
            details["stream"] = str(error.stream_descriptor)
        return ConnectorFailed(
            f"{self.launch.label} reports: {message}",
            hint=f"Correct {wrong} and try again." if error.failure_type == "config_error" else None,
            details={name: self.redact(text) for name, text in details.items() if text},
            failure_type=error.failure_type if error.failure_type in FAILURE_TYPES else "system_error",
            origin=self.launch.origin,
        )

    def _timed_out(self) -> ConnectorTimeout:
        verb, limit = self.question.verb, f"{self.timeout:g} s"
        return ConnectorTimeout(
            f"{self.launch.label} did not answer {verb} within {limit} and was ended{self._last_words()}",
            hint=f"Check that what it connects to can be reached, or allow it more time with {self.question.setting}.",
            failure_type="transient_error",
            origin=self.launch.origin,
        )

    def _crashed(self, what: str) -> ConnectorError:
        return ConnectorCrashed(
            f"{self.launch.label} {what}{self._last_words()}",
            hint="`resource-airbyte logs --service server` shows all that it logged.",
            details={"foreign_lines": self.foreign, "samples": self.samples} if self.foreign else None,
            origin=self.launch.origin,
        )

    def _last_words(self) -> str:
        """What it said last that may tell why: foreign lines, and its stderr or else its last complaint."""
        stderr = self.redact(self.listener.stderr) if self.listener is not None else ""
        words = []
        if self.foreign:
            words.append(f"It wrote {self.foreign} lines that are not the protocol, the first: {self.samples[0]}")
        if stderr or self.last_complaint:
            words.append("\n".join((stderr or self.last_complaint).splitlines()[-STDERR_LINES:]))
        return "".join(f"\n{text}" for text in words) or "."


def _exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"signal {-code}" + (", perhaps for want of memory" if code == -9 else "")
