#!/bin/bash
# Run once, by the first start of PostgreSQL: a database and a role of its own to try destinations with.
set -euo pipefail
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$(cat /run/secrets/warehouse_password)" <<'SQL'
CREATE ROLE warehouse LOGIN PASSWORD :'password';
CREATE DATABASE warehouse OWNER warehouse;
REVOKE CONNECT ON DATABASE airbyte FROM PUBLIC;
SQL
