"""Whether a process of the stack is well, as its exit code: what the health checks of the containers run.

python -m resource_airbyte.engine.main.alive PORT [PATH]
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException

PATIENCE = 4.0  # seconds: less than the health checks themselves have


def main() -> int:
    port, path = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "/health"
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        print(f"no answer on port {port}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
