#!/usr/bin/env bash
# The integration tests: real daemons, connectors and databases, in places of their own. 0 passed, 1 failed, 2 none here.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
more_workers_than_cores
# In the order of their names. Left to itself, the file with the fewest tests comes last, and everybody waits for its long one.
pytest_phase integration 300 --no-loadscope-reorder
