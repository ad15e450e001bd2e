#!/usr/bin/env bash
# The stack, on a real container engine: up from nothing by the product's own commands, loaded, killed piece by piece, and
# taken away again. 0 passed, 1 failed, 2 where there is no engine (the line says why).
#
# Where the public images cannot be pulled, AIRBYTE_BASE_IMAGE, AIRBYTE_POSTGRES_IMAGE and AIRBYTE_TEMPORAL_IMAGE name others.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"
budget=1200

skipped() {
    echo "stack: skipped, because $1"
    exit 2
}

command -v docker >/dev/null || skipped "there is no docker command here"
why=$(docker info --format '{{.ServerVersion}}' 2>&1 >/dev/null) || skipped "no container engine answers: ${why%%$'\n'*}"
docker compose version >/dev/null 2>&1 || docker-compose version >/dev/null 2>&1 || skipped "there is no compose command here"
if [ ! -d "$root/test/stack" ] || [ ! -x "$root/cli.sh" ]; then none_available stack; fi
python=$("$root/cli.sh" --dev-python) || exit 1
SECONDS=0
code=0
# One after the other: all of them look at the same stack. Output is shown, for it holds what was measured.
(cd "$root" && "$python" -m pytest test/stack -m docker -s --durations=0 --durations-min=5 --timeout=300 "$@") || code=$?
report stack "$SECONDS" "$budget"
[ "$code" -eq 5 ] && none_available stack
[ "$code" -eq 0 ] && [ "$SECONDS" -le "$budget" ] || exit 1
