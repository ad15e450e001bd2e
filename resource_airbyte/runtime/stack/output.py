"""What the containers write: the end of it, what came after a moment, and what is yet to come, all services merged."""

from __future__ import annotations

import heapq
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from resource_airbyte.runtime.stack import containers
from resource_airbyte.runtime.stack.containers import Container
from resource_airbyte.runtime.stack.engine import Engine

Line = tuple[float, str]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def read(
    engine: Engine,
    project: str,
    service: str | None,
    *,
    since: float | None = None,
    tail: int = 50,
    follow: bool = False,
) -> Generator[str, None, None]:
    """The last `tail` lines by time, of those after `since` only; each begins with whose it is.

    `follow` goes on, also with containers that are started later.
    """
    began = time.time()
    found = containers.find(engine, project, service)
    several = service is None or len(found) > 1 or follow
    past = heapq.merge(*(_past(engine, one, since, tail, several) for one in found), key=lambda line: line[0])
    for _, text in deque(past, maxlen=max(tail, 0)):
        yield text
    if follow:
        yield from _Follower(engine, project, service, several).lines(found, began)


def last(engine: Engine, one: Container, lines: int = 8) -> str:
    """The end of what a container has written, without colours."""
    return COLOUR.sub("", "\n".join(text for _, text in _past(engine, one, None, lines, several=False)))


def _past(engine: Engine, one: Container, since: float | None, tail: int, several: bool) -> list[Line]:
    from docker.errors import APIError

    after = {} if since is None else {"since": since}
    try:
        raw: bytes = engine.client.api.logs(one.identity, timestamps=True, tail=max(tail, 0), **after)
    except APIError:  # removed this very moment
        return []
    return list(stamped(raw.splitlines(), _name(one) if several else ""))


def stamped(lines: Iterable[bytes], name: str) -> Iterator[Line]:
    """Each line with its time, and without it: the engine puts that before every line."""
    at = 0.0
    for raw in lines:
        stamp, _, text = raw.decode("utf-8", "replace").partition(" ")
        at = containers.moment(stamp) or at
        yield at, f"{name:<10} {text}" if name else text


def _name(one: Container) -> str:
    return f"{one.service}-{one.number}" if one.service == "worker" else one.service


class _Follower:
    """Reads every container in a thread of its own, and hands on what they say as it comes."""

    def __init__(self, engine: Engine, project: str, service: str | None, several: bool) -> None:
        self._engine, self._project, self._service, self._several = engine, project, service, several
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._open: list[Any] = []
        self._ended = False

    def lines(self, found: Sequence[Container], since: float) -> Iterator[str]:
        """What is said from `since` on, until the caller has enough, or the engine is gone."""
        try:
            news = self._engine.client.api.events(
                since=int(since),
                decode=True,
                filters={**containers.labels(self._project, self._service), "type": ["container"], "event": ["start"]},
            )
            self._open.append(news)
            self._spawn(self._watch, news, since)
            for one in found:
                if one.running:
                    self._spawn(self._read, one, since)
            while (line := self._lines.get()) is not None:
                yield line
        finally:
            self._close()

    def _watch(self, news: Any, since: float) -> None:
        with suppress(Exception):  # the connection was closed, by us or with the engine; either way it ends here
            for event in news:
                if event["timeNano"] / 1e9 < since:  # the engine knows whole seconds only; that one is read already
                    continue
                for one in containers.find(self._engine, self._project, self._service):
                    if one.identity == event["id"]:
                        self._spawn(self._read, one, event["timeNano"] / 1e9)
        self._lines.put(None)

    def _read(self, one: Container, since: float) -> None:
        with suppress(Exception):  # as above; a container that ends only ends its stream
            stream = self._engine.client.api.logs(
                one.identity, stream=True, follow=True, timestamps=True, since=since, tail="all"
            )
            self._open.append(stream)
            rest = b""
            for block in stream:
                *whole, rest = (rest + block).split(b"\n")
                for _, text in stamped(whole, _name(one) if self._several else ""):
                    self._lines.put(text)

    def _spawn(self, target: Any, *arguments: Any) -> None:
        if not self._ended:
            threading.Thread(target=target, args=arguments, daemon=True, name="logs").start()

    def _close(self) -> None:
        self._ended = True
        for stream in list(self._open):
            with suppress(Exception):  # it has ended by itself
                stream.close()
