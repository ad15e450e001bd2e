#!/usr/bin/env bash
# The integration tests: real daemons, connectors and databases, in places of their own. 0 passed, 1 failed, 2 none here.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
pytest_phase integration 300
