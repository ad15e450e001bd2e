#!/usr/bin/env bash
# Run the tests: run-tests.sh [all|unit|integration|faults|smoke|stack]. 0 passed, 1 failed, 2 nothing to run here.
#
# `all` looks at the running instance in its smoke phase; where none runs, at a temporary one with its own directory and ports.
# `stack` is for itself: it needs a container engine, and takes as long as all the others.
set -uo pipefail
phases=$(cd "$(dirname "$0")" && pwd -P)/phases
# shellcheck source=test/phases/environment.sh
. "$phases/environment.sh"
budget=600
short=40 # seconds after which no run of the fault suite begins any more
seed=1   # of its first run: always the same ones, so that who changes something compares like with like

run_all() {
    local phase code worst=2 summary=
    local -a smoke=()
    resource_airbyte status >/dev/null 2>&1 || smoke=(--temporary)
    for phase in unit integration faults smoke; do
        code=0
        if [ "$phase" = smoke ]; then
            "$phases/test-smoke.sh" ${smoke[@]+"${smoke[@]}"} || code=$?
        elif [ "$phase" = faults ]; then
            "$phases/test-faults.sh" --seconds "$short" --seed "$seed" || code=$?
        else
            "$phases/test-$phase.sh" || code=$?
        fi
        case $code in
            0) summary="$summary $phase passed;" && [ "$worst" -eq 2 ] && worst=0 ;;
            2) summary="$summary $phase skipped;" ;;
            *) summary="$summary $phase FAILED;" && worst=1 ;;
        esac
    done
    echo "all:${summary%;}"
    report all "$SECONDS" "$budget"
    [ "$SECONDS" -le "$budget" ] || worst=1
    exit "$worst"
}

case ${1:-all} in
    all) run_all ;;
    unit | integration | faults | smoke | stack) exec "$phases/test-$1.sh" "${@:2}" ;;
    *)
        echo "error: there are no tests called $1" >&2
        echo "hint: choose one of: all, unit, integration, faults, smoke, stack" >&2
        exit 1
        ;;
esac
