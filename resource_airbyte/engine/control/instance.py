"""What the instance says of itself."""

from __future__ import annotations

from resource_airbyte.engine.control.context import Context
from resource_airbyte.model.instance import AuthConfiguration, InstanceConfigurationResponse, ProgressRead

# An Airbyte without user management has one user and one organization, both with this id.
NOBODY = "00000000-0000-0000-0000-000000000000"


class Instance:
    def __init__(self, context: Context) -> None:
        self._context = context

    def progress(self) -> ProgressRead:
        return ProgressRead(doing=self._context.orchestrator.doing())

    def configuration(self) -> InstanceConfigurationResponse:
        return InstanceConfigurationResponse(
            edition="community",
            version=self._context.version,
            # The schema requires one of four values; the other three report a licence that is at fault.
            license_status="pro",
            auth=AuthConfiguration(mode="simple"),
            airbyte_url=self._context.url,
            initial_setup_complete=True,
            default_user_id=NOBODY,
            default_organization_id=NOBODY,
            default_organization_email="nobody@localhost",
            default_workspace_id=self._context.workspace_id(),
            tracking_strategy="logging",
        )
