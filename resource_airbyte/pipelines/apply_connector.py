"""A connector definition of one's own: create it, change it, or see that it is as wanted."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from resource_airbyte.errors import InvalidConfiguration, InvalidDocument
from resource_airbyte.model.definitions import DefinitionRead
from resource_airbyte.pipelines.action import Applied, Report, World
from resource_airbyte.pipelines.own import LOCAL, ConnectorDocument
from resource_airbyte.pipelines.positions import Source, Trail


class ConnectorAction:
    """`text` is the file that asks for it, None on the command line."""

    def __init__(self, world: World, wanted: ConnectorDocument, text: Source | None, report: Report) -> None:
        self.world, self.wanted, self.text, self.report = world, wanted, text, report
        client = world.client
        self.client = client.source_definitions if wanted.side == "source" else client.destination_definitions
        self.done: DefinitionRead | None = None

    @cached_property
    def known(self) -> list[DefinitionRead]:
        """The definitions of one's own that there are."""
        return [each for each in self.client.list() if each.custom]

    @cached_property
    def current(self) -> DefinitionRead | None:
        """The definition that is meant: by its name, or, where a path or package implies it, by that."""
        if self.wanted.implied:
            return next((each for each in self.known if each.docker_repository == self.wanted.repository), None)
        name = self.wanted.name.casefold()
        return next((each for each in self.known if each.name.casefold() == name), None)

    def differences(self) -> list[str]:
        """What would change in the definition that there is, a line each."""
        if self.current is None or self.wanted.implied:
            return []
        pairs = (
            ("repository", self.current.docker_repository, self.wanted.repository),
            ("version", self.current.docker_image_tag, self.wanted.version),
        )
        return [f"{what}: {before} → {after}" for what, before, after in pairs if before != after]

    def describe(self) -> str:
        what = f"connector {self.wanted.name}"
        if self.current is None:
            return f"create {what} ({self.wanted.repository})"
        changed = self.differences()
        return f"update {what}: {', '.join(changed)}" if changed else f"leave {what} as it is"

    def prepare(self) -> None:
        """Raise InvalidDocument for a path at which there is nothing."""
        path = self.wanted.repository.removeprefix(LOCAL)
        if self.text is not None and path != self.wanted.repository and not Path(path).exists():
            if not self.text.positions:  # from the command line
                raise InvalidDocument(
                    f"{path} is not there", hint="paths are relative to the directory that you are in"
                )
            hint = "paths are relative to the file that names them"
            raise self.text.error(self._at(self.text), f"{path} is not there", hint)

    def do(self) -> Applied:
        current, wanted = self.current, self.wanted
        if current is None:
            self.done = self._located_create()
            return Applied("connector", self.done.name, self.done.definition_id, "created")
        changed = self.differences()
        if not changed:
            self.done = current
            return Applied("connector", current.name, current.definition_id, "unchanged")
        workspace = self.world.client.workspace_id
        self.done = self.client.update(
            current.definition_id, workspace, version=wanted.version, repository=wanted.repository
        )
        return Applied("connector", current.name, current.definition_id, "updated", changed)

    def undo(self) -> None:
        """What a file implied goes with it: a version that there is not would be in the way of the corrected file."""
        if self.wanted.implied and self.current is None and self.done is not None:
            self.client.delete(self.done.definition_id)

    def _located_create(self) -> DefinitionRead:
        wanted = self.wanted
        taken = {each.name.casefold() for each in self.known}
        # Two directories may have the same name; what a file implies need not be named well.
        name = wanted.repository if wanted.implied and wanted.name.casefold() in taken else wanted.name
        try:
            return self.client.create_custom(
                self.world.client.workspace_id, name, wanted.repository, wanted.version, wanted.documentation_url or ""
            )
        except InvalidConfiguration as error:
            if self.text is None or not self.text.positions:  # from the command line
                raise
            raise self.text.error(self._at(self.text), error.message, error.hint) from None

    def _at(self, text: Source) -> Trail:
        """Where the file says what the connector is."""
        trail = (*self.wanted.at, "connector" if self.wanted.implied else "path")
        return trail if trail in text.positions else self.wanted.at
