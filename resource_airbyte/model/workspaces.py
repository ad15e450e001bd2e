"""Workspaces."""

from __future__ import annotations

from typing import Any

from resource_airbyte.model.base import Wire


class WorkspaceIdRequestBody(Wire):
    workspace_id: str
    include_tombstone: bool | None = None


class SlugRequestBody(Wire):
    slug: str


class WorkspaceUpdateName(Wire):
    workspace_id: str
    name: str


class WorkspaceRead(Wire):
    workspace_id: str
    customer_id: str
    email: str | None = None
    name: str
    slug: str
    initial_setup_complete: bool
    display_setup_wizard: bool | None = None
    anonymous_data_collection: bool | None = None
    news: bool | None = None
    security_updates: bool | None = None
    notifications: list[dict[str, Any]] | None = None
    notification_settings: dict[str, Any] | None = None
    organization_id: str
    tombstone: bool | None = None


class WorkspaceReadList(Wire):
    workspaces: list[WorkspaceRead]
