"""Health and what the instance says of itself."""

from __future__ import annotations

from pydantic import Field

from resource_airbyte.model.base import Wire


class HealthCheckRead(Wire):
    available: bool


class ProgressRead(Wire):
    """What the instance is at, for whoever waits for an answer: a sentence each."""

    doing: list[str] = Field(default_factory=list)


class KeyRotationRead(Wire):
    """How many configurations are sealed with the new master key, and whose could not be opened with any key."""

    configurations: int
    unreadable: list[str]


class AuthConfiguration(Wire):
    mode: str
    client_id: str | None = None
    default_realm: str | None = None
    authorization_server_url: str | None = None
    audience: str | None = None
    extra_scopes: str | None = None


class InstanceConfigurationResponse(Wire):
    edition: str
    version: str
    # Required by the schema, yet a community edition without a licence leaves it out.
    license_status: str | None = None
    license_expiration_date: int | None = None
    auth: AuthConfiguration
    airbyte_url: str
    initial_setup_complete: bool
    default_user_id: str
    default_organization_id: str
    default_organization_email: str
    default_workspace_id: str
    tracking_strategy: str
