#!/usr/bin/env bash
# The unit tests: no network, no containers, nothing outside this process and its children. 0 passed, 1 failed, 2 none here.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
# Half of their time is waiting for a disk that has nothing to keep: their files lie in memory where there is such a place.
[ -d /dev/shm ] && [ -w /dev/shm ] && export PYTEST_DEBUG_TEMPROOT=/dev/shm
more_workers_than_cores
pytest_phase unit 60
