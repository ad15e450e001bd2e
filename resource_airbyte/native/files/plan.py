"""Where a stream's rows go: straight into its directory, or into a staged generation that is swapped in at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...protocol.seams import StreamSetup
from ..sql.failure import refused
from ..sql.ledger import gone, moved
from .directories import Directories, Directory, refuse_foreign, usable
from .layout import Layout
from .ledger import Columns, Ledger, Part, Stage
from .rewriting import Inexact, Rewriting
from .shape import Shape, fit
from .specification import DEDUP_ELSEWHERE, Configuration


@dataclass(frozen=True)
class Plan:
    """`directory` is the stream's, relative to the destination's; `stage` is set while the rows go elsewhere."""

    setup: StreamSetup
    directory: str
    shape: Shape
    stage: Stage | None


class Planner:
    """Decides for each stream, in one transaction of the ledger."""

    def __init__(self, layout: Layout, ledger: Ledger, configuration: Configuration) -> None:
        self._layout, self._ledger, self._configuration = layout, ledger, configuration
        self._directories = Directories(ledger.database)

    def plan(self, setup: StreamSetup) -> Plan:
        """The plan of one stream; raises (config_error) when it cannot be written here."""
        _refuse(setup)
        directory = self._directories.claim(setup.namespace, setup.name)
        in_the_way = usable(self._layout, directory)
        if in_the_way:
            raise in_the_way
        loaded = self._ledger.target(setup)
        if loaded and loaded != directory.path:
            raise moved(setup.stream, str(self._layout.path), loaded, directory.path)
        stage = self._ledger.stage(setup.stream)
        going_on = stage is not None and stage.covered and stage.belongs_to(setup)
        unfinished = stage if stage and going_on and not stage.published else None
        holds = self._layout.staged(unfinished.place) if unfinished else self._layout.path / directory.path
        if loaded and not holds.is_dir():
            raise gone(setup.stream, str(self._layout.path), loaded)
        if unfinished:
            # Begun by an earlier attempt, with states that speak of its rows: it goes on, also when the sync after a
            # failed refresh no longer says that it truncates: those states know nothing of what it would replace.
            return self._continued(setup, directory, unfinished)
        if stage and not stage.published:
            self._ledger.drop(stage.place)
            self._ledger.forget_stage(setup.stream)
        if going_on or not setup.truncates:  # published already, or never to be staged
            return self._appended(setup, directory)
        return self._staged(setup, directory)

    def _staged(self, setup: StreamSetup, directory: Directory) -> Plan:
        shape, _ = fit((), setup, before=directory.columns)
        place = self._layout.new_place()
        dialect = self._configuration.dialect
        stage = Stage(setup.generation, setup.epoch, False, False, place, directory.path, dialect, shape.columns)
        self._layout.staged(place).mkdir(parents=True)
        self._ledger.save_stage(setup.stream, stage)
        return Plan(setup, directory.path, shape, stage)

    def _continued(self, setup: StreamSetup, directory: Directory, stage: Stage) -> Plan:
        parts = self._ledger.parts(directory.path, stage.place)
        self._refuse_mixture(setup, stage.dialect, parts)
        shape, rewritten = self._fitted(setup, stage.columns, parts, stage.place)
        if rewritten is not None:
            self._ledger.drop(stage.place)
        place = rewritten or stage.place
        stage = replace(stage, place=place, columns=shape.columns)
        self._ledger.save_stage(setup.stream, stage)
        return Plan(setup, directory.path, shape, stage)

    def _appended(self, setup: StreamSetup, directory: Directory) -> Plan:
        refuse_foreign(self._layout, directory)
        parts = self._ledger.parts(directory.path, None)
        self._refuse_mixture(setup, directory.dialect, parts)
        shape, rewritten = self._fitted(setup, directory.columns, parts, None)
        if rewritten is not None:
            self._ledger.swap(directory.path, rewritten)
        self._directories.describe(directory.path, self._configuration.dialect, shape.columns)
        return Plan(setup, directory.path, shape, None)

    def _refuse_mixture(self, setup: StreamSetup, dialect: str | None, parts: list[Part]) -> None:
        if parts and dialect != self._configuration.dialect:
            raise refused(
                f"The files of {setup.stream} are {dialect}, but the configuration now says "
                f"{self._configuration.dialect}: nobody could read them together",
                hint="Write them anew (resource-airbyte content refresh --name CONNECTION), or choose another path",
            )

    def _must_rewrite(self, wider: Columns, parts: list[Part]) -> bool:
        return bool(wider and parts) and self._configuration.format == "parquet"

    def _fitted(
        self, setup: StreamSetup, known: Columns, parts: list[Part], stage: str | None
    ) -> tuple[Shape, str | None]:
        """The shape of a stream, and the staged place where its parts are written again for that; None: they stay."""
        texts: set[str] = set()
        while True:
            shape, wider = fit(known, setup, texts)
            if not self._must_rewrite(wider, parts):
                return shape, None
            place = self._layout.new_place()
            try:
                made = Rewriting(self._layout, self._configuration, known).run(parts, stage, place, shape)
            except Inexact as error:
                texts.add(error.column)
                continue
            self._ledger.add(made)
            return shape, place

    def end(self, done: Plan) -> None:
        """Put the staged generation in the place of what the directory holds (rule 3)."""
        if done.stage is None:
            return
        self._ledger.swap(done.directory, done.stage.place)
        self._ledger.save_stage(done.setup.stream, replace(done.stage, published=True))
        self._directories.describe(done.directory, done.stage.dialect, done.shape.columns)

    def discard(self, left: Plan) -> None:
        """Drop a staged generation that no state speaks of: nothing could ever go on from it."""
        if left.stage is not None and not left.stage.covered:
            self._ledger.drop(left.stage.place)
            self._ledger.forget_stage(left.setup.stream)


def _refuse(setup: StreamSetup) -> None:
    if setup.destination_sync_mode == "append_dedup":
        raise refused(
            f"The stream {setup.stream} is to be deduplicated (append_dedup), which files cannot be",
            hint=f"Use append or overwrite; {DEDUP_ELSEWHERE} keep one row per primary key",
        )
    if setup.minimum_generation not in (0, setup.generation):
        raise refused(
            f"Cannot execute a hybrid refresh of {setup.stream}: minimum generation {setup.minimum_generation} "
            f"is neither 0 nor the current generation {setup.generation}"
        )
