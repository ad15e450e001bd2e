#!/usr/bin/env bash
# The unit tests: no network, no containers, nothing outside this process and its children. 0 passed, 1 failed, 2 none here.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
pytest_phase unit 60
