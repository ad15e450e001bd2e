#!/usr/bin/env bash
# The integration tests: real daemons, connectors and databases, in places of their own. 0 passed, 1 failed, 2 none here.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
more_workers_than_cores
# In the order of their names. Left to itself, the file with the fewest tests comes last, and everybody waits for its long one.
# A minute is too little for a test that starts the daemon a few times, where other work takes most of the machine; a hang
# ends with the time of all.
pytest_phase integration 300 --no-loadscope-reorder --timeout=150
