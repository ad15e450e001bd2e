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

# pytest_phase NAME SECONDS: run the tests below test/NAME; 2 if there are none, 1 if they fail or take too long.
pytest_phase() {
    local name=$1 budget=$2 python code=0
    if [ ! -d "$root/test/$name" ] || [ ! -x "$root/cli.sh" ]; then none_available "$name"; fi
    python=$("$root/cli.sh" --dev-python) || exit 1
    SECONDS=0
    local -a how=(-m "not slow" -n logical --maxprocesses=4 --dist loadfile --session-timeout="$budget")
    (cd "$root" && "$python" -m pytest "test/$name" "${how[@]}" --durations=5 --durations-min=5) || code=$?
    report "$name" "$SECONDS" "$budget"
    [ "$code" -eq 5 ] && none_available "$name"
    [ "$code" -eq 0 ] && [ "$SECONDS" -le "$budget" ] || exit 1
}

report() { echo "$1: $2 s of $3 s"; }
