"""How much was done, for who watches the engine."""

from __future__ import annotations

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.store import figures as store
from resource_airbyte.errors import NotFound
from resource_airbyte.model.figures import Figures

# Of connectors whose definition was deleted meanwhile.
GONE = "(removed)"


class Counts:
    def __init__(self, context: Context) -> None:
        self._context = context

    def read(self) -> Figures:
        catalog = self._context.catalog()

        def short(definition_id: str) -> str:
            try:
                return catalog.get(definition_id).short
            except NotFound:
                return GONE

        with self._context.db.read() as tx:
            return store.read(tx, short)
