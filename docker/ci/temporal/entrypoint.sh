#!/bin/bash
# What temporalio/auto-setup does at its start, for PostgreSQL alone and with the same variables: databases and schema,
# then the server, and beside it the namespace. Every step may be repeated: a container starts more than once.
set -euo pipefail
: "${DB:=postgres12}" "${DB_PORT:=5432}" "${POSTGRES_SEEDS:?the host of PostgreSQL}" "${POSTGRES_USER:?}" "${POSTGRES_PWD:?}"
: "${DBNAME:=temporal}" "${VISIBILITY_DBNAME:=temporal_visibility}" "${NUM_HISTORY_SHARDS:=4}" "${LOG_LEVEL:=info}"
: "${SQL_MAX_CONNS:=20}" "${SQL_MAX_IDLE_CONNS:=20}" "${SQL_VIS_MAX_CONNS:=10}" "${SQL_VIS_MAX_IDLE_CONNS:=10}"
: "${BIND_ON_IP:=0.0.0.0}" "${TEMPORAL_BROADCAST_ADDRESS:=127.0.0.1}"
: "${SKIP_SCHEMA_SETUP:=false}" "${SKIP_DB_CREATE:=false}" "${SKIP_DEFAULT_NAMESPACE_CREATION:=false}"
: "${DEFAULT_NAMESPACE:=default}" "${DEFAULT_NAMESPACE_RETENTION:=24h}"
config=/etc/temporal/config

# The tool connects by itself as often as it must; a database that is there already is no error to it.
schema_of() {
    local -a tool=(temporal-sql-tool --plugin "$DB" --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" --db "$1")
    export SQL_PASSWORD=$POSTGRES_PWD
    [ "$SKIP_DB_CREATE" = true ] || "${tool[@]}" create
    "${tool[@]}" setup-schema -v 0.0
    "${tool[@]}" update-schema --schema-name "postgresql/v12/$2"
}

store() {
    cat <<YAML
      sql:
        pluginName: "$DB"
        databaseName: "$1"
        connectAddr: "$POSTGRES_SEEDS:$DB_PORT"
        connectProtocol: tcp
        user: "$POSTGRES_USER"
        password: "$POSTGRES_PWD"
        maxConns: $2
        maxIdleConns: $3
        maxConnLifetime: 1h
YAML
}

role() { printf '  %s: {rpc: {grpcPort: %s, membershipPort: %s, bindOnIP: "%s"%s}}\n' "$1" "$2" "$3" "$BIND_ON_IP" "${4:-}"; }

configuration() {
    cat <<YAML
log: {stdout: true, level: "$LOG_LEVEL"}
persistence:
  numHistoryShards: $NUM_HISTORY_SHARDS
  defaultStore: main
  visibilityStore: visibility
  datastores:
    main:
$(store "$DBNAME" "$SQL_MAX_CONNS" "$SQL_MAX_IDLE_CONNS")
    visibility:
$(store "$VISIBILITY_DBNAME" "$SQL_VIS_MAX_CONNS" "$SQL_VIS_MAX_IDLE_CONNS")
global:
  membership: {maxJoinDuration: 30s, broadcastAddress: "$TEMPORAL_BROADCAST_ADDRESS"}
services:
$(role frontend 7233 6933 ', httpPort: 7243')
$(role matching 7235 6935)
$(role history 7234 6934)
$(role worker 7239 6939)
clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active: {enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: "127.0.0.1:7233", httpAddress: "127.0.0.1:7243"}
dcRedirectionPolicy: {policy: noop}
archival: {history: {state: disabled}, visibility: {state: disabled}}
publicClient: {hostPort: "127.0.0.1:7233"}
YAML
}

# http METHOD PATH [BODY]: the status that the server answers with; nothing while it does not listen yet.
http() {
    local body=${3:-} status
    (
        exec 3<>/dev/tcp/127.0.0.1/7243
        printf '%s %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
            "$1" "$2" "${#body}" "$body" >&3
        read -r _ status _ <&3 && echo "$status"
    ) 2>/dev/null
}

# The server takes a period in seconds; the variable has it in hours, as the public image's tool does.
register_namespace() {
    local body retention=$((${DEFAULT_NAMESPACE_RETENTION%h} * 3600))s
    body="{\"namespace\": \"$DEFAULT_NAMESPACE\", \"workflowExecutionRetentionPeriod\": \"$retention\"}"
    for _ in {1..300}; do
        case $(http GET "/api/v1/namespaces/$DEFAULT_NAMESPACE") in
            200) echo "namespace $DEFAULT_NAMESPACE is there" && return ;;
            404) http POST /api/v1/namespaces "$body" >/dev/null || true ;;
        esac
        sleep 0.2
    done
    echo "namespace $DEFAULT_NAMESPACE could not be made" >&2
}

if [ "$SKIP_SCHEMA_SETUP" != true ]; then
    schema_of "$DBNAME" temporal
    schema_of "$VISIBILITY_DBNAME" visibility
fi
(umask 077 && configuration >"$config/docker.yaml")
# Twice removed, so that whoever ends as process 1 reaps it and not the server, which would not.
[ "$SKIP_DEFAULT_NAMESPACE_CREATION" = true ] || (register_namespace &)
exec temporal-server --root / --config "$config" --env docker start
