"""The one workspace."""

from __future__ import annotations

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.control.instance import NOBODY
from resource_airbyte.engine.store import connections
from resource_airbyte.engine.store import workspaces as store
from resource_airbyte.errors import NotFound
from resource_airbyte.model.workspaces import WorkspaceRead, WorkspaceReadList


class Workspaces:
    def __init__(self, context: Context) -> None:
        self._context = context

    def default_id(self) -> str:
        """The id of the workspace that everything lies in; it is made the first time."""
        return self._context.workspace_id()

    def list(self) -> WorkspaceReadList:
        self._context.workspace_id()
        with self._context.db.read() as tx:
            return WorkspaceReadList(workspaces=[_read(workspace) for workspace in store.listed(tx)])

    def get(self, workspace_id: str) -> WorkspaceRead:
        with self._context.db.read() as tx:
            return _read(store.get(tx, workspace_id))

    def get_by_slug(self, slug: str) -> WorkspaceRead:
        for workspace in self.list().workspaces:
            if workspace.slug == slug:
                return workspace
        raise NotFound(f"no workspace has the slug {slug!r}")

    def get_by_connection(self, connection_id: str) -> WorkspaceRead:
        with self._context.db.read() as tx:
            return _read(store.get(tx, connections.get(tx, connection_id).workspace_id))

    def rename(self, workspace_id: str, name: str) -> WorkspaceRead:
        with self._context.db.begin() as tx:
            workspace = store.get(tx, workspace_id)
            workspace.name = name
            return _read(workspace)


def _read(workspace: store.Workspace) -> WorkspaceRead:
    return WorkspaceRead(
        workspace_id=workspace.id,
        customer_id=NOBODY,
        name=workspace.name,
        slug=workspace.slug,
        initial_setup_complete=True,
        display_setup_wizard=False,
        notifications=[],
        organization_id=NOBODY,
        tombstone=False,
    )
