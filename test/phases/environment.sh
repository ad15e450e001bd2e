# Shared by the phases: where things are, and how a phase is run within its budget. Sourced, not run.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

# The command under test: the one that started us, the clone's, or the installed one.
resource_airbyte() {
    if [ -n "${AIRBYTE_PYTHON:-}" ]; then
        "$AIRBYTE_PYTHON" -P -m resource_airbyte "$@"
    elif [ -x "$root/cli.sh" ]; then
        "$root/cli.sh" "$@"
    else
        resource-airbyte "$@"
    fi
}

none_available() {
    echo "$1: none available here; an installed package brings the smoke tests only, a clone has them all"
    exit 2
}

# pytest_phase NAME SECONDS [OPTION…]: run the tests below test/NAME, with these options of pytest; 2 if there are none, 1 if
# they fail or take too long.
pytest_phase() {
    local name=$1 budget=$2 python code=0
    shift 2
    if [ ! -d "$root/test/$name" ] || [ ! -x "$root/cli.sh" ]; then none_available "$name"; fi
    python=$("$root/cli.sh" --dev-python) || exit 1
    SECONDS=0
    local -a how=(-m "not slow" -n logical --maxprocesses=4 --dist loadfile --session-timeout="$budget")
    how+=(--durations=5 --durations-min=5 "$@")
    (cd "$root" && "$python" -m pytest "test/$name" "${how[@]}") || code=$?
    report "$name" "$SECONDS" "$budget"
    [ "$code" -eq 5 ] && none_available "$name"
    [ "$code" -eq 0 ] && [ "$SECONDS" -le "$budget" ] || exit 1
}

# What waits for children that are to be late, stopped or killed leaves a core to others: half as many workers again as there
# are cores.
more_workers_than_cores() {
    PYTEST_XDIST_AUTO_NUM_WORKERS=$((($(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2))
    export PYTEST_XDIST_AUTO_NUM_WORKERS
}

report() { echo "$1: $2 s of $3 s"; }
