"""Secrets: configurations sealed at rest, their key, and values that are kept elsewhere and filled in at launch."""

from resource_airbyte.engine.secrets.box import Box
from resource_airbyte.engine.secrets.fill import Filled, fill
from resource_airbyte.engine.secrets.token import Token

__all__ = ["Box", "Filled", "Token", "fill"]
