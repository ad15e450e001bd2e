#!/usr/bin/env bash
# Syncs under fire: processes are killed and stopped, sources stop, lie and garble, as a seed has it, and then every row of
# the destination is compared with the source. Everything is in places of its own. 0 passed, 1 failed, 2 none here.
#
#   test-faults.sh [--runs N] [--seed S] [--seconds T] [--orchestrator local|temporal]
#
# Each run prints its seed, a failure the command that repeats it, with the same choices. Temporal's programs are looked for
# where AIRBYTE_TEMPORAL_BIN says (docker/ci/build-temporal builds them).
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
if [ ! -d "$root/test/faults" ] || [ ! -x "$root/cli.sh" ]; then none_available faults; fi
python=$("$root/cli.sh" --dev-python) || exit 1
exec "$python" "$root/test/faults" "$@"
