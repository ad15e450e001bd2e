"""Probes on this machine: so many at a time, each with what it changes stored at once, and ended with the program.

They have turns of their own, apart from the jobs': whoever asks for a check does not wait until a sync is over.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ... import process
from ...errors import ConnectorCrashed, ConnectorError
from ..secrets import Box
from ..store import actors
from ..store.database import Database
from .base import Probe
from .doing import Doing
from .probes import run_probe
from .renewal import folded
from .turns import Closed, Turns

if TYPE_CHECKING:
    from .tools import Tools

ENDING = 5.0  # seconds that a probe may take to notice that its connector was ended
SWEEP = 0.2  # and between two looks for connectors that it may have started meanwhile
log = logging.getLogger("worker")


class Asking:
    """Answers probes until it is closed. From any thread."""

    def __init__(self, tools: Tools) -> None:
        self._tools, self._doing = tools, Doing()
        self._turns = Turns(tools.settings.max_concurrent_probes)
        self._closing = False

    def ask(self, probe: Probe, told: Callable[[str], None] | None = None) -> dict[str, Any]:
        """The answer, as `Orchestrator.probe` describes it. `told` gets a sentence whenever there is a new one."""
        tools, name = self._tools, f"{probe.connector.short} {probe.version} {probe.kind}"
        with (
            self._told_of_an_end(probe),
            self._doing.one(f"{name}: under way", told) as tell,
            self._turn(probe, lambda sentence: tell(f"{name}: {sentence}")),
        ):
            tell(f"{name}: under way")
            return run_probe(
                probe,
                launchers=tools.launchers,
                specs=tools.specs,
                box=tools.box,
                settings=tools.settings,
                log=_line,
                keep=Keeping(tools.db, tools.box, probe).keep,
                waiting=tell,
                mark=f"{tools.mark}:probe.{uuid.uuid4().hex}.",  # its own: it is swept by it when it has answered
            )

    def doing(self) -> list[str]:
        """A sentence for each probe that is under way or waits."""
        return self._doing.sentences()

    def closing(self) -> None:
        """From now on a connector that ends may have been ended by us."""
        self._closing = True

    def close(self) -> None:
        """End the connectors that are being asked something, and start none any more. Whoever waits is told."""
        self._closing = True
        self._turns.close()
        deadline = time.monotonic() + ENDING
        while self._tools.mark:
            process.sweep(f"{self._tools.mark}:")
            if self._turns.idle(SWEEP) or time.monotonic() > deadline:
                break
        if self._tools.mark:
            process.sweep(f"{self._tools.mark}:")

    def _turn(self, probe: Probe, tell: Callable[[str], None]) -> AbstractContextManager[None]:
        if probe.kind == "spec" and self._tools.specs.cached(probe.connector, probe.version) is not None:
            return nullcontext()
        most = self._turns.most
        return self._turns.one(lambda before: tell(f"waits: {most} of {most} probes run, {before} wait before it"))

    @contextmanager
    def _told_of_an_end(self, probe: Probe) -> Iterator[None]:
        try:
            yield
        except (Closed, ConnectorCrashed) as error:
            if not self._closing:
                raise
            begun = isinstance(error, ConnectorCrashed)
            how = "was ended during" if begun else "was not started for"
            raise ConnectorError(
                f"{probe.connector.short} {probe.version} {how} {probe.kind}: Airbyte is being stopped.",
                hint="Start it and try again: resource-airbyte manage start",
                origin=probe.connector.kind,
            ) from error


class Keeping:
    """Stores what a connector asks to keep, at once: what it asked for may be good for one use only (rule 9)."""

    def __init__(self, db: Database, box: Box, probe: Probe) -> None:
        self._db, self._box, self._probe = db, box, probe
        self._known = None if probe.configuration is None else box.open(probe.configuration)

    def keep(self, renewed: dict[str, Any]) -> None:
        if self._probe.actor_id is not None and self._known is not None:
            with self._db.begin() as tx:  # sealed inside: a key that is replaced meanwhile leaves nothing behind
                actor = actors.get(tx, self._probe.actor_id)
                stored = self._box.open(actor.configuration)
                after = folded(stored, self._known, renewed)
                if after != stored:
                    actors.configure(tx, actor.id, self._box.seal(after))
                else:
                    log.warning("%s renewed what is not stored", self._probe.connector.short)
        self._known = renewed


def _line(level: str, text: str) -> None:
    log.log(logging.getLevelNamesMapping().get(level, logging.INFO), "%s", text)
