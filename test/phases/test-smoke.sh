#!/usr/bin/env bash
# The smoke tests: look at the running instance, through the same commands that a person types, and change nothing in it.
# 0 passed, 1 failed. `--temporary` looks at an instance of its own instead, made for this and removed afterwards.
set -uo pipefail
# shellcheck source=test/phases/environment.sh
. "$(dirname "$0")/environment.sh"

budget=30 failed=0 passed=0 temporary='' python=${AIRBYTE_PYTHON:-python3}

check() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok: $what"
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        printf '%s\n' "$output" | sed 's/^/    /'
    fi
}

# The status that a URL answers with; by Python, because curl is not everywhere.
http_status() {
    "$python" - "$1" <<'PYTHON'
import sys, urllib.error, urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    print(opener.open(sys.argv[1], timeout=5).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
PYTHON
}

answers() {
    local status
    status=$(http_status "$1")
    [ "$status" = "$2" ] && return
    echo "expected HTTP status $2, got: ${status:-nothing}"
    return 1
}

# The value of a port in `status --format json`, by the service that listens there.
port_of() {
    printf '%s' "$status_json" | "$python" -c '
import json, sys

def walk(node):
    if isinstance(node, dict):
        if node.get("name") == sys.argv[1] and node.get("port"):
            print(node["port"])
            sys.exit()
        for value in node.values():
            walk(value)
    elif isinstance(node, list):
        for value in node:
            walk(value)

walk(json.load(sys.stdin))
sys.exit(1)' "$1"
}

use_temporary_instance() {
    temporary=$(mktemp -d) || exit 1
    export AIRBYTE_RUNTIME=embedded AIRBYTE_DATA_DIR=$temporary/data AIRBYTE_WEBAPP_PORT=0 AIRBYTE_SERVER_PORT=0
    unset AIRBYTE_DATABASE_URL
    trap remove_temporary_instance EXIT
    check "install" resource_airbyte manage install
    check "start" resource_airbyte manage start
}

remove_temporary_instance() {
    resource_airbyte manage stop --timeout 5 >/dev/null 2>&1 || true
    rm -rf "$temporary"
}

if [ "${1:-}" = --temporary ]; then use_temporary_instance; fi

status_json=$(resource_airbyte status --format json 2>/dev/null)
case $? in
    0) check "status: running and healthy" true ;;
    2)
        echo "FAILED: nothing is running, so there is nothing to look at"
        echo "hint: start it with: ${AIRBYTE_LAUNCHER:-resource-airbyte} manage start (after manage install)"
        exit 1
        ;;
    *) check "status: running and healthy" resource_airbyte status ;;
esac
for service in webapp server; do
    if port=$(port_of "$service"); then
        check "$service answers on port $port" answers "http://127.0.0.1:$port/api/v1/health" 200
        check "$service asks for the token" answers "http://127.0.0.1:$port/api/v1/workspaces/list" 401
    else
        check "status names the port of $service" false
    fi
done
check "the command lists sources" resource_airbyte content list --type sources
check "the command knows the credentials" resource_airbyte credentials

echo "$passed passed, $failed failed"
report smoke "$SECONDS" "$budget"
[ "$failed" -eq 0 ] && [ "$SECONDS" -le "$budget" ] || exit 1
