"""The server of the stack: the API on one port. Workers run the jobs, in processes of their own.

python -m resource_airbyte.engine.main.server
"""

from __future__ import annotations

import asyncio
import logging
import sys

from resource_airbyte.engine.main import program
from resource_airbyte.engine.main.doors import bound
from resource_airbyte.engine.main.serving import serve
from resource_airbyte.settings import Settings

log = logging.getLogger("server")


def run(settings: Settings) -> None:
    """Be the server until told to end."""
    with bound(settings.server_port, "server_port", settings.listen) as door:
        from resource_airbyte.engine import wiring  # late: a taken port need not wait for all the libraries

        number = door.getsockname()[1]
        engine = wiring.build(settings, ports=(settings.webapp_port, number))
        try:
            asyncio.run(serve(engine, [door], lambda: log.info("ready on port %d", number)))
        finally:
            engine.close()
    log.info("ended")


if __name__ == "__main__":
    sys.exit(program.run(run))
