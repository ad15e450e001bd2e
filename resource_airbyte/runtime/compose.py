"""The compose runtime: server, worker, Temporal and PostgreSQL as containers."""

from __future__ import annotations

from resource_airbyte.runtime.absent import Absent


class Compose(Absent):
    name = "compose"
    sentence = "a stack of containers"
