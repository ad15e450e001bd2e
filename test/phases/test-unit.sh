#!/usr/bin/env bash
# The unit tests: no network, no containers, nothing outside this process and its children. 0 passed, 1 failed, 2 none here.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
# Half of their time is waiting for a disk that has nothing to keep: their files lie in memory where there is such a place.
[ -d /dev/shm ] && [ -w /dev/shm ] && export PYTEST_DEBUG_TEMPROOT=/dev/shm
# A third of the rest is waiting as well, for children that are to be late: half as many workers again as there are cores.
PYTEST_XDIST_AUTO_NUM_WORKERS=$((($(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2))
export PYTEST_XDIST_AUTO_NUM_WORKERS
pytest_phase unit 60
