"""The remote runtime: an Airbyte that somebody else runs."""

from __future__ import annotations

from resource_airbyte.runtime.absent import Absent


class Remote(Absent):
    name = "remote"
    sentence = "an Airbyte that runs elsewhere"
